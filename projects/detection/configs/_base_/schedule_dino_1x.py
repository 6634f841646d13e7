"""DINO's 12 epochs: AdamW at 1e-4 for 16 images per step, divided by 10 after epoch 11; gradients clipped at 0.1."""

_base_ = ["schedule_1x.py"]

optim_wrapper = dict(
    optimizer=dict(weight_decay=1e-4),
    paramwise_cfg=dict(layer_decay_rate=0.90, like_stem=("level_embed",)),
    clip_grad=dict(max_norm=0.1, norm_type=2),
)
warm_up, decay = _base_.param_scheduler
param_scheduler = [warm_up, dict(decay, milestones=[11])]
