"""UperNet with InternImage-XL on ADE20K; published on 8 GPUs of 2 images."""

_base_ = ["_base_/upernet_xl.py", "_base_/ade20k_640.py", "_base_/schedule_160k.py"]

model = dict(data_preprocessor=dict(size=_base_.crop_size))
published = dict(
    parameters=368e6,
    multiply_adds=3142e9,
    result="55.0 / 55.3 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
