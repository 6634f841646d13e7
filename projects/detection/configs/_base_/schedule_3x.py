"""36 epochs: the 1x schedule, three times as long."""

_base_ = ["schedule_1x.py"]

train_cfg = dict(max_epochs=36)
warm_up, decay = _base_.param_scheduler
param_scheduler = [warm_up, dict(decay, milestones=[27, 33])]
