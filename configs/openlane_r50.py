"""OpenLane-V2 baseline with ResNet-50 (published: OLS 29.2 in the metric of the 2023 challenge)."""

_base_ = ["_base_/openlane.py", "_base_/resnet.py"]

published = dict(result="OLS .292", source="InternImage's repository")

model = dict(
    backbone=dict(_base_.r50, out_indices=(1, 2, 3)),
    neck=dict(in_channels=[512, 1024, 2048]),
)
