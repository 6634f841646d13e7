"""SegFormer's head with InternImage-XL."""

_base_ = ["segformer.py", "optimizer_large.py"]

model = dict(
    backbone=dict(variant="xl", drop_path_rate=0.4),
    decode_head=dict(in_channels=[192, 384, 768, 1536]),
)
