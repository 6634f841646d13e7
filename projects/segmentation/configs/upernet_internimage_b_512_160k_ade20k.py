"""UperNet with InternImage-B on ADE20K; published on 8 GPUs of 2 images."""

_base_ = ["_base_/upernet_b.py", "_base_/ade20k.py", "_base_/schedule_160k.py"]

model = dict(data_preprocessor=dict(size=_base_.crop_size))
published = dict(
    parameters=128e6,
    multiply_adds=1185e9,
    result="50.8 / 51.3 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
