"""The published schedule of T, S and B: 300 epochs, 20 of them warm-up, cosine, 5e-4 for 512 images."""

max_epochs, warm_up = 300, 20
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=5e-4, weight_decay=0.05, eps=1e-8, betas=(0.9, 0.999)),
    constructor="LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(recipe="classification"),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-3, by_epoch=True, begin=0, end=warm_up, convert_to_iter_based=True),
    # Over all epochs, as timm's: what the warm-up leaves of it begins at 0.99 of the rate.
    dict(
        type="CosineAnnealingLR",
        eta_min_ratio=0.01,  # of what the batch size makes of 5e-4: the authors scale their 5e-6 alike
        by_epoch=True,
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(enable=True, base_batch_size=512)
