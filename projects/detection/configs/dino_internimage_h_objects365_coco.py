"""DINO, InternImage-H, fine-tuned from Objects365: published box AP 63.4."""

_base_ = ["_base_/dino_large.py", "_base_/coco_large.py"]

model = dict(backbone=dict(variant="h"), neck=dict(in_channels=[640, 1280, 2560]))
