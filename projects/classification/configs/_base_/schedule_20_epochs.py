"""The published fine-tuning of L to G: 20 epochs, 2 of them warm-up, cosine to zero, 2e-5 for 512 images.

Layers further from the output learn less (.9 from one to the next), and what places DCNv3's points a tenth. The paper's
figures come from runs without that decay: `--cfg-options optim_wrapper.paramwise_cfg.layer_decay_rate=1.0`.
"""

_base_ = "schedule_300_epochs.py"

max_epochs, warm_up = 20, 2
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=2e-5), paramwise_cfg=dict(layer_decay_rate=0.9, dcn_lr_mult=0.1))
param_scheduler = [
    dict(_base_.param_scheduler[0], start_factor=1e-6, end=warm_up),
    dict(_base_.param_scheduler[1], eta_min_ratio=0.0, end=max_epochs, T_max=max_epochs),
]
