"""Occupancy baseline with InternImage-S, pretrained in Mask R-CNN 3x (published: 25.11 mIoU on val)."""

_base_ = ["_base_/occupancy.py"]

published = dict(result="mIoU 25.11", source="InternImage's repository")

model = dict(
    data_preprocessor=_base_.imagenet_values,
    backbone=dict(
        _delete_=True, type="InternImage", variant="s", out_indices=(1, 2, 3), drop_path_rate=0.3, with_cp=True
    ),
    neck=dict(in_channels=[160, 320, 640]),
)
optim_wrapper = dict(
    optimizer=dict(weight_decay=0.05),
    constructor="LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(_delete_=True, layer_decay_rate=1.0),
)
