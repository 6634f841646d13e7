"""What every classification experiment shares: mmpretrain's classes, this project's, hooks and checkpoints."""

_base_ = "../../../../configs/_base_/default_runtime.py"

default_scope = "mmpretrain"
custom_imports = dict(imports=["projects.classification.heads"])
