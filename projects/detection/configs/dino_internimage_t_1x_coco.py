"""DINO, InternImage-T, 1x."""

_base_ = ["_base_/dino.py", "_base_/coco_dino.py", "_base_/schedule_dino_1x.py", "_base_/runtime.py", "_base_/tta.py"]

model = dict(
    backbone=dict(variant="t"),
    neck=dict(in_channels=[128, 256, 512]),
    test_cfg=dict(max_per_img=100),
)
published = dict(parameters=49e6, result="box 53.9 AP", source="OpenGVLab/InternImage, detection/README.md")
