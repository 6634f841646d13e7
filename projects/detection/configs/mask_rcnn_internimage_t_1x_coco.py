"""Mask R-CNN, InternImage-T, 1x: published box AP 47.2, mask AP 42.5."""

_base_ = ["_base_/mask_rcnn.py", "_base_/coco_instance.py", "_base_/schedule_1x.py", "_base_/runtime.py"]

model = dict(backbone=dict(variant="t"), neck=dict(in_channels=[64, 128, 256, 512]))
