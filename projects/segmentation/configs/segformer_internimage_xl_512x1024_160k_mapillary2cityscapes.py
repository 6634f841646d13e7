"""SegFormer head with InternImage-XL on Cityscapes with coarse labels, from the weights of the Mapillary training."""

_base_ = ["_base_/segformer_xl.py", "_base_/cityscapes_extra.py", "_base_/schedule_160k.py"]

model = dict(data_preprocessor=dict(size=_base_.crop_size))
published = dict(
    parameters=330e6,
    multiply_adds=2364e9,
    result="85.41 / 85.93 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
