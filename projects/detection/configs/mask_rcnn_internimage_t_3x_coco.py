"""Mask R-CNN, InternImage-T, 3x with multi-scale training."""

_base_ = ["_base_/mask_rcnn.py", "_base_/coco_instance_multi_scale.py", "_base_/schedule_3x.py", "_base_/runtime.py"]

model = dict(backbone=dict(variant="t"), neck=dict(in_channels=[64, 128, 256, 512]))
published = dict(
    parameters=49e6,
    multiply_adds=270e9,
    result="box 49.1, mask 43.7 AP",
    source="OpenGVLab/InternImage, detection/README.md",
)
