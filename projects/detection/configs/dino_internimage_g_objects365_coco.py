"""DINO, InternImage-G, fine-tuned from Objects365."""

_base_ = ["_base_/dino_large.py", "_base_/coco_large.py"]

model = dict(backbone=dict(variant="g"), neck=dict(in_channels=[1024, 2048, 4096]))
published = dict(parameters=3.1e9, result="box 64.2 AP", source="OpenGVLab/InternImage, detection/README.md")
