"""DINO, CB-InternImage-H, fine-tuned from Objects365."""

_base_ = ["_base_/composite_dino.py", "_base_/coco_large.py"]

model = dict(backbone=dict(variant="h"), neck=dict(in_channels=[640, 1280, 2560]))
published = dict(
    parameters=2.18e9,
    result="box 64.5 AP, 65.0 with test-time augmentation",
    source="OpenGVLab/InternImage, detection/configs/coco/README.md",
)
