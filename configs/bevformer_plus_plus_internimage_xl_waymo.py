"""BEVFormer++ with InternImage-XL on Waymo.

The report's largest backbone is Swin-L (LET-3D-APL 48.4 on val, trained on all frames). Layer decay and drop path are
those of InternImage-XL in a detector; 24 epochs as the report gives its first models with Swin-L.
"""

_base_ = ["_base_/bevformer_plus_plus.py"]

model = dict(
    backbone=dict(type="InternImage", variant="xl", out_indices=(1, 2, 3), drop_path_rate=0.4, with_cp=True),
    neck=dict(in_channels=[384, 768, 1536]),
)
optim_wrapper = dict(
    constructor="LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(_delete_=True, layer_decay_rate=0.94, backbone_lr_mult=0.5),
)
max_epochs = 24
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], T_max=max_epochs)]
