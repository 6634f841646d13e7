"""DINO, InternImage-L, 1x with layer-wise learning rates."""

_base_ = ["_base_/dino.py", "_base_/coco_dino.py", "_base_/schedule_dino_1x.py", "_base_/runtime.py", "_base_/tta.py"]

model = dict(backbone=dict(variant="l", with_cp=False), neck=dict(in_channels=[320, 640, 1280]))
published = dict(
    parameters=241e6,
    result="box 57.5 AP",
    source="OpenGVLab/InternImage, detection/configs/coco/README.md",
)
