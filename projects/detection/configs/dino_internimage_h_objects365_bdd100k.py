"""DINO, InternImage-H on BDD100K.

The detector and its settings were never released: these are those of DINO on COCO.
"""

_base_ = ["_base_/dino_large.py", "_base_/bdd100k.py"]

model = dict(backbone=dict(variant="h"), neck=dict(in_channels=[640, 1280, 2560]), bbox_head=dict(num_classes=10))
train_dataloader = dict(batch_size=1, dataset=dict(pipeline=_base_.train_pipeline_large))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline_large))
test_dataloader = val_dataloader
custom_hooks = _base_.custom_hooks_new_classes
published = dict(result="box 38.8 AP", source="OpenGVLab/InternImage, README.md", note="settings never released")
