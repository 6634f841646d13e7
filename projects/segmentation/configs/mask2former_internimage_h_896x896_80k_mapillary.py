"""Mask2Former with InternImage-H on Mapillary Vistas, in preparation for Cityscapes; 16 GPUs of 2 images."""

_base_ = ["_base_/mask2former.py", "_base_/mapillary_896.py", "_base_/schedule_80k.py"]

num_classes = 19
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(num_classes=num_classes, loss_cls=dict(class_weight=[1.0] * num_classes + [0.1])),
    test_cfg=dict(mode="slide", crop_size=_base_.crop_size, stride=(512, 512)),
)
optim_wrapper = dict(clip_grad=dict(max_norm=0.1, norm_type=2))

published = dict(
    parameters=1094e6,
    multiply_adds=7878e9,
    source="segmentation/README.md of OpenGVLab/InternImage",
)
