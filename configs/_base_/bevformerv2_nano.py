"""A BEVFormer v2 + InternImage that two CPU cores train in minutes on the synthetic world; data comes on top.

What makes it learn in that time: queries from a BEV heatmap, an auxiliary loss on the image features from the first
step, BatchNorm in the stem, and fine feature strides (4 and 8).
"""

_base_ = ["default_runtime.py", "nuscenes.py", "image_values.py"]

detection_range = 32.0  # metres; ground truth beyond it is neither trained on nor evaluated
# The world is flat, 1.84 m below the LiDAR: pillar points there, and 0.8, 1.7 and 2.5 m above.
bev_bounds = (-detection_range, -detection_range, -2.34, detection_range, detection_range, 1.16)
dims = 64
code_weights = (1.0,) * 8 + (0.1,) * 2  # one frame hardly shows velocity
attention = dict(embed_dims=dims, num_heads=4, feedforward_channels=2 * dims, dropout=0.0)

model = dict(
    type="BEVPerceptor",
    data_preprocessor=dict(type="ClipPreprocessor", pad_divisor=16, **_base_.imagenet_values),
    backbone=dict(
        type="InternImage",
        channels=32,
        depths=(1, 1, 2),
        groups=(2, 4, 8),
        layer_scale=None,
        stem_norm="BN",
        out_indices=(0, 1, 2),
    ),
    neck=dict(type="mmdet.FPN", in_channels=[32, 64, 128], out_channels=dims, num_outs=3),
    encoder=dict(
        type="BEVFormerEncoder",
        grid=dict(bounds=bev_bounds, shape=(50, 50)),
        num_layers=1,
        num_levels=2,
        num_points_spatial=8,
        query_init="polar",
        position_init="uniform",
        initial_step=0.25,
        height_focus=3.0,
        **attention,
    ),
    heads=dict(
        detection=dict(
            type="BEVDetectionHead",
            num_classes=len(_base_.classes),
            decoder=dict(
                type="DETRDecoder",
                queries=dict(
                    type="HeatmapQueries",
                    embed_dims=dims,
                    num_classes=len(_base_.classes),
                    num_queries=128,
                    heatmap_weight=2.0,
                    box_weight=0.5,
                    code_weights=code_weights,
                ),
                num_layers=2,
                **attention,
            ),
            box_loss=dict(kind="l1", weight=0.25),
            code_weights=code_weights,
            max_num=300,
        ),
        perspective=dict(type="ImagePlaneHead", embed_dims=dims, num_classes=len(_base_.classes), levels=(1, 2)),
    ),
)

train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=3, val_interval=3)
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=2.5e-3, betas=(0.9, 0.99), weight_decay=0.01, fused=True),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type="CosineAnnealingLR", by_epoch=True, begin=0, T_max=3, eta_min_ratio=0.01, convert_to_iter_based=True),
]
auto_scale_lr = dict(enable=True, base_batch_size=1)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type="EMAHook", ema_type="mmdet.ExpMomentumEMA", momentum=0.01, interval=5, gamma=200, update_buffers=True),
]
