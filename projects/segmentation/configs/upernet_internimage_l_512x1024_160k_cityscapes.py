"""UperNet with InternImage-L on Cityscapes; published on 8 GPUs of 2 images, with ADE20K's 150 outputs."""

_base_ = ["_base_/upernet_l.py", "_base_/cityscapes.py", "_base_/schedule_160k.py"]

model = dict(data_preprocessor=dict(size=_base_.crop_size))
published = dict(
    parameters=256e6,
    multiply_adds=3234e9,
    result="83.68 / 84.41 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
