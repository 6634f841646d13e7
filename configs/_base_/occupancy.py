"""The CVPR 2023 occupancy challenge's baseline: BEVFormer v1 in the ego frame with a voxel head, 24 epochs.

The published runs take the motion between frames from CAN bus values as if the BEV were in the LiDAR frame. Here it
comes from poses, and only the previous map is shifted; to evaluate published weights as they were trained, give
`model.temporal.motion=can_bus model.temporal.shift_current=True`.
"""

_base_ = ["bevformer.py", "occ3d.py"]

grid = dict(bounds=_base_.occupancy_grid.bounds, shape=(200, 200))
training_mask = None

model = dict(
    encoder=dict(grid=grid, num_layers=4, num_pillar_points=8),
    temporal=dict(_delete_=True, type="RecurrentBEV", grid=grid, motion="pose"),
    heads=dict(
        _delete_=True,
        occupancy=dict(
            type="OccupancyHead",
            grid=_base_.occupancy_grid,
            decoder=dict(type="VolumeDecoder", in_channels=256, heights=16),
            losses=[dict(type="VoxelCrossEntropy", mask=training_mask)],
        ),
    ),
)

heights = None  # images as they are
train_pipeline = [
    dict(type="LoadMultiCameraImages", num_threads=2),
    dict(type="LoadOccupancy"),
    dict(type="PhotometricDistortion"),
    dict(type="ResizeCropFlipImages", heights=heights),
    dict(type="PackClip"),
]
test_pipeline = [
    dict(type="LoadMultiCameraImages", num_threads=2),
    dict(type="LoadOccupancy"),
    dict(type="ResizeCropFlipImages", heights=heights, training=False),
    dict(type="PackClip"),
]
dataset = dict(bev_frame="ego", occupancy=True)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type="OccupancyMetric",
    data_root=_base_.data_root,
    ann_file="nuscenes_infos_val.pkl",
    training_mask=training_mask,
)
test_evaluator = val_evaluator
