"""BEVFormer++ (arXiv 2209.05324, table 5): BEVFormer on Waymo; backbones come on top.

Published and here: BEV of 300 x 220 cells of 0.5 m, three encoder layers, 900 queries, four frames, 12 epochs of AdamW
2e-4 at 8 samples per step; multi-scale images and flips (`_base_/waymo.py`), smooth L1 loss, a loss on the image
features ("2D auxiliary"), moving averages, and test-time augmentation. The report's auxiliary head is 2D; this one is
BEVFormer v2's, which is its authors' later answer. Published and not here: convolutional offsets in temporal
self-attention, a deformable view encoder, corner pooling, global location regression, learned loss weights, label
smoothing, assignment by LET-IoU.
"""

_base_ = ["default_runtime.py", "waymo.py", "schedule_24_epochs.py"]

dims = 256
num_classes = len(_base_.classes)
grid = dict(bounds=_base_.bev_bounds, shape=(300, 220))

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
        num_layers=3,
        embed_dims=dims,
        num_heads=8,
        num_levels=4,
        num_cameras=5,
        num_pillar_points=4,
        num_points_spatial=8,
        num_points_temporal=4,
        feedforward_channels=512,
        dropout=0.1,
        with_cp=True,
    ),
    # The published code feeds the poses in as CAN bus values; motion from the poses themselves needs no network.
    temporal=dict(type="RecurrentBEV", grid=grid, motion="pose"),
    heads=dict(
        detection=dict(
            type="BEVDetectionHead",
            num_classes=num_classes,
            decoder=dict(
                type="DETRDecoder",
                queries=dict(type="LearnedQueries", embed_dims=dims, num_queries=900),
                num_layers=6,
                embed_dims=dims,
                num_heads=8,
                feedforward_channels=512,
                dropout=0.1,
            ),
            class_loss=dict(weight=2.0, gamma=2.0, alpha=0.25),
            # Weight and beta of smooth L1 are BEVFormer v2's. The published code has no velocity; trackers want one.
            box_loss=dict(weight=0.75, beta=1.0),
            code_weights=(1.0,) * 8 + (0.2,) * 2,
            max_num=300,
            centre_range=_base_.bev_bounds,
        ),
        perspective=dict(
            type="DD3DHead",
            num_classes=num_classes,
            # Width, length, height, metres: mmdet3d's anchors of Waymo's classes. Depths are for a reference focal
            # length, so those of nuScenes hold.
            canonical_sizes=((2.08, 4.73, 1.77), (0.84, 0.91, 1.74), (0.84, 1.81, 1.77)),
            channels=dims,
            norm_cfg=dict(type="SyncBN"),
        ),
    ),
)

max_epochs = 12
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 3, by_epoch=False, begin=0, end=500),
    dict(
        type="CosineAnnealingLR",
        by_epoch=True,
        begin=0,
        T_max=max_epochs,
        eta_min_ratio=1e-3,
        convert_to_iter_based=True,
    ),
]
custom_hooks = [
    *_base_.custom_hooks,
    # The report gives no rate; this is mmdet's.
    dict(type="EMAHook", ema_type="mmdet.ExpMomentumEMA", momentum=0.0002, update_buffers=True),
]
