"""UperNet with InternImage-T on Cityscapes; published on 8 GPUs of 2 images, with ADE20K's 150 outputs."""

_base_ = ["_base_/upernet.py", "_base_/cityscapes.py", "_base_/schedule_160k.py"]

model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(variant="t", drop_path_rate=0.2),
    decode_head=dict(in_channels=[64, 128, 256, 512]),
    auxiliary_head=dict(in_channels=256),
)

count_size = (1024, 2048)
published = dict(
    parameters=59e6,
    multiply_adds=1889e9,
    result="82.58 / 83.40 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
