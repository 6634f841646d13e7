"""DINO, InternImage-H, fine-tuned from Objects365."""

_base_ = ["_base_/dino_large.py", "_base_/coco_large.py"]

model = dict(backbone=dict(variant="h"), neck=dict(in_channels=[640, 1280, 2560]))
published = dict(parameters=1.1e9, result="box 63.4 AP", source="OpenGVLab/InternImage, detection/README.md")
