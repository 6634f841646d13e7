"""Occupancy baseline with InternImage-T."""

_base_ = ["occupancy_bevformer_internimage_s.py"]

published = None

model = dict(backbone=dict(variant="t", drop_path_rate=0.2), neck=dict(in_channels=[128, 256, 512]))
