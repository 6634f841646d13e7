"""UperNet with InternImage-T."""

_base_ = ["upernet.py", "optimizer.py"]

model = dict(
    backbone=dict(variant="t", drop_path_rate=0.2),
    decode_head=dict(in_channels=[64, 128, 256, 512]),
    auxiliary_head=dict(in_channels=256),
)
