"""The published schedule: linear warm-up over 1500 iterations, then a straight line down to 0."""

_base_ = ["runtime.py"]

max_iters = 160000
train_cfg = dict(type="IterBasedTrainLoop", max_iters=max_iters, val_interval=16000)
# Both act from the first iteration on, and the learning rate is their product, as in mmcv 1.x.
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type="PolyLR", power=1.0, eta_min=0.0, by_epoch=False, begin=0, end=max_iters),
]
