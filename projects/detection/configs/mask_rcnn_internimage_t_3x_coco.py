"""Mask R-CNN, InternImage-T, 3x with multi-scale training: published box AP 49.1, mask AP 43.7."""

_base_ = ["_base_/mask_rcnn.py", "_base_/coco_instance_multi_scale.py", "_base_/schedule_3x.py", "_base_/runtime.py"]

model = dict(backbone=dict(variant="t"), neck=dict(in_channels=[64, 128, 256, 512]))
