"""UperNet with InternImage-B on ADE20K; published on 8 GPUs of 2 images."""

_base_ = ["_base_/upernet.py", "_base_/ade20k.py", "_base_/schedule_160k.py"]

model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(variant="b", drop_path_rate=0.4),
    decode_head=dict(in_channels=[112, 224, 448, 896]),
    auxiliary_head=dict(in_channels=448),
)

count_size = (512, 2048)
published = dict(
    parameters=128e6,
    multiply_adds=1185e9,
    result="50.8 / 51.3 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
