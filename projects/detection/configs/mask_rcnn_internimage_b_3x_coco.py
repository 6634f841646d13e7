"""Mask R-CNN, InternImage-B, 3x with multi-scale training: published box AP 50.3, mask AP 44.8."""

_base_ = ["_base_/mask_rcnn.py", "_base_/coco_instance_multi_scale.py", "_base_/schedule_3x.py", "_base_/runtime.py"]

model = dict(backbone=dict(variant="b"), neck=dict(in_channels=[112, 224, 448, 896]))
