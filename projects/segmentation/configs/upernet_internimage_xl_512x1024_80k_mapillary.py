"""UperNet with InternImage-XL on Mapillary Vistas, in preparation for Cityscapes."""

_base_ = ["_base_/upernet_xl.py", "_base_/mapillary.py", "_base_/schedule_80k.py"]

model = dict(data_preprocessor=dict(size=_base_.crop_size))
published = dict(
    parameters=368e6,
    multiply_adds=4022e9,
    source="segmentation/README.md of OpenGVLab/InternImage",
)
