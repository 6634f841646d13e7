"""The published schedule for 40,000 iterations."""

_base_ = ["schedule_160k.py"]

max_iters = 40000
train_cfg = dict(max_iters=max_iters, val_interval=2000)
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], end=max_iters)]
