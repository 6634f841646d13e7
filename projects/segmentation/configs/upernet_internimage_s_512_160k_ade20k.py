"""UperNet with InternImage-S on ADE20K; published on 8 GPUs of 2 images."""

_base_ = ["_base_/upernet.py", "_base_/ade20k.py", "_base_/schedule_160k.py"]

model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(variant="s", drop_path_rate=0.3),
    decode_head=dict(in_channels=[80, 160, 320, 640]),
    auxiliary_head=dict(in_channels=320),
)
