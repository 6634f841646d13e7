"""OpenLane-V2 baseline with ResNet-50 (published: OLS 29.2 in the metric of the 2023 challenge)."""

_base_ = ["_base_/openlane.py"]

model = dict(
    backbone=dict(
        type="mmdet.ResNet",
        depth=50,
        out_indices=(1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type="BN", requires_grad=False),
        norm_eval=True,
        style="pytorch",
    ),
    neck=dict(in_channels=[512, 1024, 2048]),
)
