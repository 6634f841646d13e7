"""DINO, CB-InternImage-G, fine-tuned from Objects365.

Published box AP 65.1, 65.3 with test-time augmentation. Its config was never released: these are the settings of
CB-InternImage-H.
"""

_base_ = ["_base_/composite_dino.py", "_base_/coco_large.py"]

model = dict(backbone=dict(variant="g"), neck=dict(in_channels=[1024, 2048, 4096]))
