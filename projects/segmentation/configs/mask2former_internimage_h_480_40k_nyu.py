"""Mask2Former with InternImage-H on NYU Depth V2; published on 16 GPUs of 1 image."""

_base_ = ["_base_/mask2former.py", "_base_/nyu_depth_v2.py", "_base_/schedule_40k.py"]

num_classes = 40
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(num_classes=num_classes, loss_cls=dict(class_weight=[1.0] * num_classes + [0.1])),
)
optim_wrapper = dict(
    optimizer=dict(lr=2e-5),
    paramwise_cfg=dict(layer_decay_rate=0.95),
)
train_dataloader = dict(batch_size=1)
