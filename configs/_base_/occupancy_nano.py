"""Occupancy of the synthetic world for the nano models: head, pipelines and BEV in the ego frame."""

_base_ = ["occ3d.py"]

ego_bev_bounds = (-40.0, -40.0, -0.5, 40.0, 40.0, 3.0)
occupancy_mask = "camera"
occupancy_head = dict(
    type="OccupancyHead",
    grid=_base_.occupancy_grid,
    cell_split=4,
    trained_share=0.25,
    decoder=dict(
        type="ChannelToHeight", in_channels=64, heights=16, channels=64, num_layers=1, hidden=64, cell_split=4
    ),
    losses=[
        dict(type="VoxelCrossEntropy", mask=occupancy_mask),
        # Nine in ten voxels are free: the cross-entropy alone learns little of what stands on the ground.
        dict(type="LovaszSoftmax", mask=occupancy_mask, bins=1024),
    ],
)
# Beside other heads: half the voxels in each step, so that it costs less than they do.
shared_occupancy_head = dict(
    occupancy_head,
    trained_share=0.125,
    losses=[dict(loss, weight=0.5) for loss in occupancy_head["losses"]],
)
occupancy_crop = (0, 66, 352, 198)
occupancy_train_pipeline = [
    dict(type="LoadMultiCameraImages"),
    dict(type="LoadOccupancy"),
    dict(type="ResizeCropFlipImages", crop=occupancy_crop, size=(96, 256)),
    dict(type="BoxRangeFilter", radius=32.0),
    dict(type="PackClip"),
]
occupancy_test_pipeline = [
    dict(type="LoadMultiCameraImages"),
    dict(type="LoadOccupancy"),
    dict(type="ResizeCropFlipImages", crop=occupancy_crop, size=(96, 256), training=False),
    dict(type="PackClip"),
]
occupancy_evaluator = dict(
    type="OccupancyMetric",
    data_root="data/synthetic",
    ann_file="nuscenes_infos_val.pkl",
    training_mask=occupancy_mask,
)
