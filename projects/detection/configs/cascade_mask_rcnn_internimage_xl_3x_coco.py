"""Cascade Mask R-CNN, InternImage-XL, 3x."""

_base_ = [
    "_base_/cascade_mask_rcnn.py",
    "_base_/coco_instance_multi_scale.py",
    "_base_/schedule_3x_large.py",
    "_base_/runtime.py",
]

model = dict(backbone=dict(variant="xl", drop_path_rate=0.6), neck=dict(in_channels=[192, 384, 768, 1536]))
custom_hooks = [*_base_.custom_hooks, _base_.averaging]
published = dict(
    parameters=387e6,
    multiply_adds=1782e9,
    result="box 56.2, mask 48.8 AP",
    source="OpenGVLab/InternImage, detection/README.md",
)
