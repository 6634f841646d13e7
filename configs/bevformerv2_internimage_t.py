"""BEVFormer v2 with InternImage-T, two frames. Image resolution and schedule follow the published R50 t2 model.

No InternImage configuration was released with BEVFormer v2; drop path is that of InternImage-T as a detector backbone.
"""

_base_ = ["_base_/bevformerv2.py"]

model = dict(
    backbone=dict(type="InternImage", variant="t", out_indices=(1, 2, 3), drop_path_rate=0.2, with_cp=True),
    neck=dict(in_channels=[128, 256, 512]),
)
