"""What every classification experiment shares: mmpretrain's classes, this project's, checkpoints, averaged weights."""

_base_ = "../../../../configs/_base_/default_runtime.py"

default_scope = "mmpretrain"
custom_imports = dict(imports=["projects.classification.heads", "projects.classification.datasets"])
# Weights averaged with a decay of .9999, batch norm's statistics too; evaluation and final.pth take them.
custom_hooks = [
    *_base_.custom_hooks,
    dict(type="EMAHook", momentum=1e-4, update_buffers=True, priority="ABOVE_NORMAL"),
]
