"""SegFormer head with InternImage-L on Cityscapes with coarse labels, from the weights of the Mapillary training."""

_base_ = ["_base_/segformer_l.py", "_base_/cityscapes_extra.py", "_base_/schedule_160k.py"]

model = dict(data_preprocessor=dict(size=_base_.crop_size))
published = dict(
    parameters=220e6,
    multiply_adds=1580e9,
    result="85.16 / 85.67 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
