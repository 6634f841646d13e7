"""BEVFormer v2 as published (arXiv 2211.10439): encoder, group DETR, perspective head, schedule; backbones come on top.

Learning rate: 4e-4 at 16 samples per step (8 GPUs x 2); other totals are scaled linearly and the factor is printed.
"""

_base_ = ["default_runtime.py", "nuscenes.py", "perspective.py"]

bev_bounds = _base_.bev_bounds
grid = dict(bounds=bev_bounds, shape=(200, 200))  # cells of 0.512 m
dims = 256
num_classes = len(_base_.classes)

model = dict(
    type="BEVPerceptor",
    data_preprocessor=dict(
        type="ClipPreprocessor",
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        to_rgb=True,
        pad_divisor=32,
        grid_mask=dict(ratio=0.5, probability=0.7),
    ),
    neck=dict(
        type="mmdet.FPN",
        out_channels=dims,
        num_outs=5,
        add_extra_convs="on_output",
        relu_before_extra_convs=True,
    ),
    encoder=dict(
        type="BEVFormerEncoder",
        grid=grid,
        num_layers=6,
        embed_dims=dims,
        num_heads=8,
        num_levels=4,
        num_cameras=6,
        num_pillar_points=4,
        num_points_spatial=8,
        num_points_temporal=4,
        feedforward_channels=512,
        dropout=0.1,
    ),
    temporal=dict(type="TemporalFusion", num_frames=len(_base_.frame_offsets), embed_dims=dims),
    heads=dict(
        detection=dict(
            type="BEVDetectionHead",
            num_classes=num_classes,
            decoder=dict(
                type="DETRDecoder",
                queries=dict(type="LearnedQueries", embed_dims=dims, num_queries=900, num_groups=11),
                num_layers=6,
                embed_dims=dims,
                num_heads=8,
                feedforward_channels=512,
                dropout=0.1,
            ),
            class_loss=dict(weight=2.0, gamma=2.0, alpha=0.25),
            box_loss=dict(weight=0.75, beta=1.0),
            code_weights=(1.0,) * 8 + (0.2,) * 2,
            max_num=300,
            centre_range=(-61.2, -61.2, -10.0, 61.2, 61.2, 10.0),
        ),
        perspective=_base_.perspective,
    ),
)

max_epochs = 24
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=4e-4, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.5))),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 3, by_epoch=False, begin=0, end=2000),
    dict(type="MultiStepLR", by_epoch=True, milestones=[20], gamma=0.1),
]
auto_scale_lr = dict(enable=True, base_batch_size=16)
train_dataloader = dict(batch_size=2)
