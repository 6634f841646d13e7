"""UperNet with InternImage-B."""

_base_ = ["upernet.py", "optimizer.py"]

model = dict(
    backbone=dict(variant="b", drop_path_rate=0.4),
    decode_head=dict(in_channels=[112, 224, 448, 896]),
    auxiliary_head=dict(in_channels=448),
)
