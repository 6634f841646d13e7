"""DINO, InternImage-T, 1x: published box AP 53.9."""

_base_ = ["_base_/dino.py", "_base_/coco_dino.py", "_base_/schedule_dino_1x.py", "_base_/runtime.py"]

model = dict(
    backbone=dict(variant="t"),
    neck=dict(in_channels=[128, 256, 512]),
    test_cfg=dict(max_per_img=100),
)
