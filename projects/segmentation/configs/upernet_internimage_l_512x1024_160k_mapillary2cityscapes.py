"""UperNet with InternImage-L on Cityscapes with coarse labels, from the weights of the Mapillary training."""

_base_ = ["_base_/upernet_l.py", "_base_/cityscapes_extra.py", "_base_/schedule_160k.py"]

model = dict(data_preprocessor=dict(size=_base_.crop_size))
published = dict(
    parameters=256e6,
    multiply_adds=3234e9,
    result="85.94 / 86.22 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
    note="the official config starts from the SegFormer model, of which the backbone fits",
)
