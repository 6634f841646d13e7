"""SegFormer head with InternImage-L on Mapillary Vistas, in preparation for Cityscapes."""

_base_ = ["_base_/segformer_l.py", "_base_/mapillary.py", "_base_/schedule_80k.py"]

model = dict(data_preprocessor=dict(size=_base_.crop_size))
published = dict(
    parameters=220e6,
    multiply_adds=1580e9,
    source="segmentation/README.md of OpenGVLab/InternImage",
)
