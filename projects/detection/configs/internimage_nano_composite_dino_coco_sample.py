"""The small DINO on a composite backbone."""

_base_ = ["internimage_nano_dino_coco_sample.py"]

custom_imports = dict(imports=["projects.detection.composite_dino"])
model = dict(type="CompositeDINO", backbone=dict(type="CompositeInternImage", variant="t"))
