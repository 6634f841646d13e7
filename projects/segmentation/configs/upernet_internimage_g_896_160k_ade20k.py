"""UperNet with InternImage-G on ADE20K; published on 16 GPUs of 1 image."""

_base_ = ["_base_/upernet.py", "_base_/optimizer_large.py", "_base_/ade20k_896.py", "_base_/schedule_160k.py"]

model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(variant="g", drop_path_rate=0.5, with_cp=True),
    decode_head=dict(in_channels=[512, 1024, 2048, 4096]),
    auxiliary_head=dict(in_channels=2048),
)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.95))
train_dataloader = dict(batch_size=1)
