"""Mask R-CNN, InternImage-S, 1x: published box AP 47.8, mask AP 43.3."""

_base_ = ["_base_/mask_rcnn.py", "_base_/coco_instance.py", "_base_/schedule_1x.py", "_base_/runtime.py"]

model = dict(backbone=dict(variant="s"), neck=dict(in_channels=[80, 160, 320, 640]))
