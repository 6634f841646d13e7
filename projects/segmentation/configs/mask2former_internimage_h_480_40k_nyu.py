"""Mask2Former with InternImage-H on NYU Depth V2; published on 16 GPUs of 1 image."""

_base_ = ["_base_/mask2former.py", "_base_/nyu_depth_v2.py", "_base_/schedule_40k.py"]

num_classes = 40
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(num_classes=num_classes, loss_cls=dict(class_weight=[1.0] * num_classes + [0.1])),
)
train_dataloader = dict(batch_size=1)

published = dict(
    parameters=1.07e9,
    multiply_adds=867e9,
    result="67.1 / 68.1 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
    note="the authors give 1094 M for the same model on Cityscapes",
)
