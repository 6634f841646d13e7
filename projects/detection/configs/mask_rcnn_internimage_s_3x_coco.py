"""Mask R-CNN, InternImage-S, 3x with multi-scale training."""

_base_ = ["_base_/mask_rcnn.py", "_base_/coco_instance_multi_scale.py", "_base_/schedule_3x.py", "_base_/runtime.py"]

model = dict(backbone=dict(variant="s"), neck=dict(in_channels=[80, 160, 320, 640]))
published = dict(
    parameters=69e6,
    multiply_adds=340e9,
    result="box 49.7, mask 44.5 AP",
    source="OpenGVLab/InternImage, detection/README.md",
)
