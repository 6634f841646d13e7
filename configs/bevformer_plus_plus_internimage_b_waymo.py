"""BEVFormer++ with InternImage-B on Waymo.

The report's backbones are ResNet-101 and Swin-L; drop path is that of InternImage-B as a detector backbone.
"""

_base_ = ["_base_/bevformer_plus_plus.py"]

model = dict(
    backbone=dict(type="InternImage", variant="b", out_indices=(1, 2, 3), drop_path_rate=0.4, with_cp=True),
    neck=dict(in_channels=[224, 448, 896]),
)
