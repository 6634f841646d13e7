"""The published schedule for 80,000 iterations."""

_base_ = ["schedule_160k.py"]

max_iters = 80000
train_cfg = dict(max_iters=max_iters, val_interval=8000)
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], end=max_iters)]
