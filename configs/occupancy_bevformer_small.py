"""Occupancy baseline with R50-DCN, one encoder layer and two feature levels."""

_base_ = ["_base_/occupancy.py"]

model = dict(
    backbone=dict(depth=50, out_indices=(2, 3), with_cp=True),
    neck=dict(in_channels=[1024, 2048], num_outs=2),
    encoder=dict(num_layers=1, num_levels=2),
)
