"""OpenLane-V2 baseline with InternImage-S, pretrained on ImageNet (published: OLS 32.5, metric as for ResNet-50)."""

_base_ = ["_base_/openlane.py"]

published = dict(result="OLS .325", source="InternImage's repository")

model = dict(
    backbone=dict(type="InternImage", variant="s", out_indices=(0, 1, 2, 3), drop_path_rate=0.3),
    neck=dict(in_channels=[80, 160, 320, 640]),
)
