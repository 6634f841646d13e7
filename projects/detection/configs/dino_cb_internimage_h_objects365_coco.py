"""DINO, CB-InternImage-H, fine-tuned from Objects365.

Published box AP 64.5, 65.0 with test-time augmentation.
"""

_base_ = ["_base_/composite_dino.py", "_base_/coco_large.py"]

model = dict(backbone=dict(variant="h"), neck=dict(in_channels=[640, 1280, 2560]))
