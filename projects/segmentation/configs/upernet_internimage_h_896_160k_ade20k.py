"""UperNet with InternImage-H on ADE20K; published on 16 GPUs of 1 image."""

_base_ = ["_base_/upernet.py", "_base_/optimizer_large.py", "_base_/ade20k_896.py", "_base_/schedule_160k.py"]

model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(variant="h", drop_path_rate=0.5),
    decode_head=dict(in_channels=[320, 640, 1280, 2560]),
    auxiliary_head=dict(in_channels=1280),
)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.95))
train_dataloader = dict(batch_size=1)

published = dict(
    parameters=1.12e9,
    multiply_adds=3566e9,
    result="59.9 / 60.3 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
