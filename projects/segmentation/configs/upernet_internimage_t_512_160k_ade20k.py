"""UperNet with InternImage-T on ADE20K; published on 8 GPUs of 2 images."""

_base_ = ["_base_/upernet.py", "_base_/ade20k.py", "_base_/schedule_160k.py"]

model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(variant="t", drop_path_rate=0.2),
    decode_head=dict(in_channels=[64, 128, 256, 512]),
    auxiliary_head=dict(in_channels=256),
)

count_size = (512, 2048)
published = dict(
    parameters=59e6,
    multiply_adds=944e9,
    result="47.9 / 48.1 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
