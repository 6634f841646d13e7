"""SegFormer's head with InternImage-L."""

_base_ = ["segformer.py", "optimizer_large.py"]

model = dict(
    backbone=dict(variant="l", drop_path_rate=0.4),
    decode_head=dict(in_channels=[160, 320, 640, 1280]),
)
