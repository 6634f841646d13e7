"""UperNet with InternImage-XL on Mapillary Vistas, in preparation for Cityscapes."""

_base_ = ["_base_/upernet.py", "_base_/mapillary.py", "_base_/schedule_80k.py"]

model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(variant="xl", drop_path_rate=0.4),
    decode_head=dict(in_channels=[192, 384, 768, 1536]),
    auxiliary_head=dict(in_channels=768),
)
optim_wrapper = dict(
    optimizer=dict(lr=2e-5),
    paramwise_cfg=dict(layer_decay_rate=0.94),
    clip_grad=dict(max_norm=0.1, norm_type=2),
)

count_size = (1024, 2048)
published = dict(
    parameters=368e6,
    multiply_adds=4022e9,
    source="segmentation/README.md of OpenGVLab/InternImage",
)
