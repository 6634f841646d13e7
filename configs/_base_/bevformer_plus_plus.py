"""BEVFormer++ (arXiv 2209.05324, table 5): BEVFormer on Waymo; backbones come on top.

Published and here: BEV of 300 x 220 cells of 0.5 m, three encoder layers, 900 queries, four frames, 12 epochs of AdamW
2e-4 at 8 samples per step; multi-scale images and flips (`_base_/waymo.py`), smooth L1 loss, a loss on the image
features ("2D auxiliary"), moving averages, and test-time augmentation. The report's auxiliary head is 2D; this one is
BEVFormer v2's, which is its authors' later answer. Published and not here: convolutional offsets in temporal
self-attention, a deformable view encoder, corner pooling, global location regression, learned loss weights, label
smoothing, assignment by LET-IoU.
"""

_base_ = ["default_runtime.py", "waymo.py", "schedule_24_epochs.py", "detection.py"]

num_classes = len(_base_.classes)
grid = dict(bounds=_base_.bev_bounds, shape=(300, 220))

model = dict(
    neck=dict(num_outs=5),
    encoder=dict(grid=grid, num_layers=3, num_cameras=5, with_cp=True),
    # The published code feeds the poses in as CAN bus values; motion from the poses themselves needs no network.
    temporal=dict(type="RecurrentBEV", grid=grid, motion="pose"),
    heads=dict(
        detection=dict(
            num_classes=num_classes,
            # Weight and beta of smooth L1 are BEVFormer v2's. The published code has no velocity; trackers want one.
            box_loss=dict(weight=0.75, beta=1.0),
            centre_range=_base_.bev_bounds,
        ),
        perspective=dict(
            type="DD3DHead",
            num_classes=num_classes,
            # Width, length, height, metres: mmdet3d's anchors of Waymo's classes. Depths are for a reference focal
            # length, so those of nuScenes hold.
            canonical_sizes=((2.08, 4.73, 1.77), (0.84, 0.91, 1.74), (0.84, 1.81, 1.77)),
            channels=_base_.dims,
            norm_cfg=dict(type="SyncBN"),
        ),
    ),
)

max_epochs = 12
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], T_max=max_epochs)]
custom_hooks = [
    *_base_.custom_hooks,
    # The report gives no rate; this is mmdet's.
    dict(type="EMAHook", ema_type="mmdet.ExpMomentumEMA", momentum=0.0002, update_buffers=True),
]
