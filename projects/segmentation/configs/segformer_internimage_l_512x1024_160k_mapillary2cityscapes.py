"""SegFormer head with InternImage-L on Cityscapes with coarse labels, from the weights of the Mapillary training."""

_base_ = ["_base_/segformer.py", "_base_/cityscapes_extra.py", "_base_/schedule_160k.py"]

model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(variant="l", drop_path_rate=0.4),
    decode_head=dict(in_channels=[160, 320, 640, 1280]),
)
optim_wrapper = dict(
    optimizer=dict(lr=2e-5),
    paramwise_cfg=dict(layer_decay_rate=0.94),
    clip_grad=dict(max_norm=0.1, norm_type=2),
)

count_size = (1024, 2048)
published = dict(
    parameters=220e6,
    multiply_adds=1580e9,
    result="85.16 / 85.67 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
