"""The published optimizer for 40,000 iterations."""

_base_ = ["schedule_160k.py"]

max_iters = 40000
train_cfg = dict(max_iters=max_iters, val_interval=2000)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(type="PolyLR", power=1.0, eta_min=0.0, by_epoch=False, begin=0, end=max_iters),
]
