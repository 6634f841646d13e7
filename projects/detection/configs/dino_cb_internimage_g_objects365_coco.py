"""DINO, CB-InternImage-G, fine-tuned from Objects365.

Its config was never released: these are the settings of CB-InternImage-H.
"""

_base_ = ["_base_/composite_dino.py", "_base_/coco_large.py"]

model = dict(backbone=dict(variant="g"), neck=dict(in_channels=[1024, 2048, 4096]))
published = dict(
    parameters=6e9,
    result="box 65.1 AP, 65.3 with test-time augmentation",
    source="OpenGVLab/InternImage, detection/README.md",
    note="the authors round to 6 B; settings never released",
)
