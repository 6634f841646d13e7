"""UperNet with InternImage-S on Cityscapes; published on 8 GPUs of 2 images, with ADE20K's 150 outputs."""

_base_ = ["_base_/upernet.py", "_base_/cityscapes.py", "_base_/schedule_160k.py"]

model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(variant="s", drop_path_rate=0.3),
    decode_head=dict(in_channels=[80, 160, 320, 640]),
    auxiliary_head=dict(in_channels=320),
)

count_size = (1024, 2048)
published = dict(
    parameters=80e6,
    multiply_adds=2035e9,
    result="82.74 / 83.45 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
