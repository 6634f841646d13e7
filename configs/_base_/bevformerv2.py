"""BEVFormer v2 as published (arXiv 2211.10439): encoder, group DETR, perspective head, schedule; backbones come on top.

Learning rate: 4e-4 at 16 samples per step (8 GPUs x 2); other totals are scaled linearly and the factor is printed.
"""

_base_ = ["default_runtime.py", "nuscenes.py", "schedule_24_epochs.py", "detection.py", "perspective.py"]

grid = dict(bounds=_base_.bev_bounds, shape=(200, 200))  # cells of 0.512 m

model = dict(
    data_preprocessor=dict(mirror=0.5),
    neck=dict(num_outs=5),
    # The published level and camera embeddings start as xavier's rule makes them: uniform, with this deviation.
    encoder=dict(grid=grid, num_layers=6, num_cameras=6, view_std=0.087),
    temporal=dict(type="TemporalFusion", num_frames=len(_base_.frame_offsets), embed_dims=_base_.dims),
    heads=dict(
        detection=dict(
            num_classes=len(_base_.classes),
            decoder=dict(queries=dict(num_groups=11)),
            box_loss=dict(weight=0.75, beta=1.0),
            centre_range=(-61.2, -61.2, -10.0, 61.2, 61.2, 10.0),
        ),
        perspective=_base_.perspective,
    ),
)

optim_wrapper = dict(
    optimizer=dict(lr=4e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.5))),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 3, by_epoch=False, begin=0, end=2000),
    dict(type="MultiStepLR", by_epoch=True, milestones=[20], gamma=0.1),
]
auto_scale_lr = dict(base_batch_size=16)
train_dataloader = dict(batch_size=2)
