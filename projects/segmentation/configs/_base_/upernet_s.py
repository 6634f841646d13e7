"""UperNet with InternImage-S."""

_base_ = ["upernet.py", "optimizer.py"]

model = dict(
    backbone=dict(variant="s", drop_path_rate=0.3),
    decode_head=dict(in_channels=[80, 160, 320, 640]),
    auxiliary_head=dict(in_channels=320),
)
