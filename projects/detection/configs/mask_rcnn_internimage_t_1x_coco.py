"""Mask R-CNN, InternImage-T, 1x."""

_base_ = ["_base_/mask_rcnn.py", "_base_/coco_instance.py", "_base_/schedule_1x.py", "_base_/runtime.py"]

model = dict(backbone=dict(variant="t"), neck=dict(in_channels=[64, 128, 256, 512]))
published = dict(
    parameters=49e6,
    multiply_adds=270e9,
    result="box 47.2, mask 42.5 AP",
    source="OpenGVLab/InternImage, detection/README.md",
)
