"""UperNet with InternImage-XL on Cityscapes with coarse labels, from the weights of the Mapillary training."""

_base_ = ["_base_/upernet_xl.py", "_base_/cityscapes_extra.py", "_base_/schedule_160k.py"]

model = dict(data_preprocessor=dict(size=_base_.crop_size))
published = dict(
    parameters=368e6,
    multiply_adds=4022e9,
    result="86.20 / 86.42 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
    note="the official config starts from the SegFormer model, of which the backbone fits",
)
