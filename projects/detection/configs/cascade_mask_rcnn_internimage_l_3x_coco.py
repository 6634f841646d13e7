"""Cascade Mask R-CNN, InternImage-L, 3x: published box AP 56.1, mask AP 48.5."""

_base_ = [
    "_base_/cascade_mask_rcnn.py",
    "_base_/coco_instance_multi_scale.py",
    "_base_/schedule_3x_large.py",
    "_base_/runtime.py",
]

model = dict(backbone=dict(variant="l"), neck=dict(in_channels=[160, 320, 640, 1280]))
custom_hooks = [*_base_.custom_hooks, _base_.averaging]
