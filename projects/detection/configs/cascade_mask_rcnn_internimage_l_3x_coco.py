"""Cascade Mask R-CNN, InternImage-L, 3x."""

_base_ = [
    "_base_/cascade_mask_rcnn.py",
    "_base_/coco_instance_multi_scale.py",
    "_base_/schedule_3x_large.py",
    "_base_/runtime.py",
]

model = dict(backbone=dict(variant="l"), neck=dict(in_channels=[160, 320, 640, 1280]))
custom_hooks = [*_base_.custom_hooks, _base_.averaging]
published = dict(
    parameters=277e6,
    multiply_adds=1399e9,
    result="box 56.1, mask 48.5 AP",
    source="OpenGVLab/InternImage, detection/README.md",
)
