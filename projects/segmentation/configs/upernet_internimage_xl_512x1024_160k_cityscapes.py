"""UperNet with InternImage-XL on Cityscapes; published on 8 GPUs of 2 images, with ADE20K's 150 outputs."""

_base_ = ["_base_/upernet_xl.py", "_base_/cityscapes.py", "_base_/schedule_160k.py"]

model = dict(data_preprocessor=dict(size=_base_.crop_size))
published = dict(
    parameters=368e6,
    multiply_adds=4022e9,
    result="83.62 / 84.28 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
