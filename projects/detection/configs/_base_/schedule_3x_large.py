"""36 epochs of L and XL: 2e-4 for 64 images per step, layer decay 0.90, averaged weights."""

_base_ = ["schedule_3x.py"]

optim_wrapper = dict(optimizer=dict(lr=2e-4), paramwise_cfg=dict(layer_decay_rate=0.90))
auto_scale_lr = dict(base_batch_size=64)
averaging = dict(type="EMAHook", ema_type="ExpMomentumEMA", momentum=1e-4, update_buffers=True)
