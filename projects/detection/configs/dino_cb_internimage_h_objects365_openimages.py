"""DINO, CB-InternImage-H on OpenImages v6."""

_base_ = ["_base_/composite_dino.py", "_base_/openimages.py"]

model = dict(backbone=dict(variant="h"), neck=dict(in_channels=[640, 1280, 2560]), bbox_head=dict(num_classes=601))
train_dataloader = dict(batch_size=1, dataset=dict(pipeline=_base_.train_pipeline_large))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline_large))
test_dataloader = val_dataloader
train_cfg = dict(max_iters=100000)
custom_hooks = _base_.custom_hooks_new_classes
published = dict(
    parameters=2.18e9,
    result="74.1 mAP",
    source="OpenGVLab/InternImage, detection/configs/openimages/README.md",
)
