"""BEVFormer's schedule: 24 epochs, cosine from epoch to epoch, backbone at a tenth.

2e-4 at 8 samples per step, scaled linearly.
"""

max_epochs = 24
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=2e-4, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 3, by_epoch=False, begin=0, end=500),
    dict(type="CosineAnnealingLR", by_epoch=True, begin=0, T_max=max_epochs, eta_min_ratio=1e-3),
]
auto_scale_lr = dict(enable=True, base_batch_size=8)
