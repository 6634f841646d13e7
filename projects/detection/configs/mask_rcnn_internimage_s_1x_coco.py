"""Mask R-CNN, InternImage-S, 1x."""

_base_ = ["_base_/mask_rcnn.py", "_base_/coco_instance.py", "_base_/schedule_1x.py", "_base_/runtime.py"]

model = dict(backbone=dict(variant="s"), neck=dict(in_channels=[80, 160, 320, 640]))
published = dict(
    parameters=69e6,
    multiply_adds=340e9,
    result="box 47.8, mask 43.3 AP",
    source="OpenGVLab/InternImage, detection/README.md",
)
