"""Mask R-CNN, InternImage-B, 3x with multi-scale training."""

_base_ = ["_base_/mask_rcnn.py", "_base_/coco_instance_multi_scale.py", "_base_/schedule_3x.py", "_base_/runtime.py"]

model = dict(backbone=dict(variant="b"), neck=dict(in_channels=[112, 224, 448, 896]))
published = dict(
    parameters=115e6,
    multiply_adds=501e9,
    result="box 50.3, mask 44.8 AP",
    source="OpenGVLab/InternImage, detection/README.md",
)
