"""Mask R-CNN, InternImage-B, 1x: published box AP 48.8, mask AP 44.0."""

_base_ = ["_base_/mask_rcnn.py", "_base_/coco_instance.py", "_base_/schedule_1x.py", "_base_/runtime.py"]

model = dict(backbone=dict(variant="b"), neck=dict(in_channels=[112, 224, 448, 896]))
