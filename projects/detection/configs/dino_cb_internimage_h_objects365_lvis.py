"""DINO, CB-InternImage-H on LVIS v1.

The official settings name a federated loss that the released code does not have; this trains as that code does.
"""

_base_ = ["_base_/composite_dino.py", "_base_/lvis.py"]

model = dict(backbone=dict(variant="h"), neck=dict(in_channels=[640, 1280, 2560]), bbox_head=dict(num_classes=1203))
train_dataloader = dict(batch_size=1, dataset=dict(dataset=dict(pipeline=_base_.train_pipeline_large)))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline_large))
test_dataloader = val_dataloader
train_cfg = dict(max_iters=80000)
custom_hooks = _base_.custom_hooks_new_classes
published = dict(
    parameters=2.18e9,
    result="box 62.3 AP on val (63.2 with several scales), 65.8 on minival",
    source="OpenGVLab/InternImage, detection/configs/lvis/README.md",
)
