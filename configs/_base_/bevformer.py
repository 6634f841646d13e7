"""BEVFormer as published (arXiv 2203.17270): recurrent BEV, CAN bus values, 24 epochs; sizes and backbones come on top.

Learning rate: 2e-4 at 8 samples per step (8 GPUs x 1); other totals are scaled linearly and the factor is printed.
Evaluation runs through each scene from its first frame (`video_test_mode`), as published.
"""

_base_ = ["default_runtime.py", "nuscenes.py", "schedule_24_epochs.py", "detection.py", "resnet.py"]

# The published weights list the classes in this order.
classes = (
    "car", "truck", "construction_vehicle", "bus", "trailer",
    "barrier", "motorcycle", "bicycle", "pedestrian", "traffic_cone",
)  # fmt: skip
grid = dict(bounds=_base_.bev_bounds, shape=(200, 200))

model = dict(
    data_preprocessor=_base_.caffe_values,
    backbone=_base_.r101_dcn,
    neck=dict(in_channels=[512, 1024, 2048], num_outs=4),
    encoder=dict(grid=grid, num_layers=6, num_cameras=6, can_bus_dims=18),
    temporal=dict(type="RecurrentBEV", grid=grid, motion="can_bus", rotation_centre=(100, 100)),
    heads=dict(
        detection=dict(
            num_classes=len(classes),
            box_loss=dict(kind="l1", weight=0.25),
            centre_range=(-61.2, -61.2, -10.0, 61.2, 61.2, 10.0),
        ),
    ),
    video_test_mode=True,
)

image_height = 900
train_pipeline = [
    dict(type="LoadMultiCameraImages", num_threads=2),
    dict(type="PhotometricDistortion"),
    dict(type="ResizeCropFlipImages", heights=[image_height]),
    dict(type="BoxRangeFilter", bounds=_base_.bev_bounds),
    dict(type="PackClip"),
]
test_pipeline = [
    dict(type="LoadMultiCameraImages", num_threads=2),
    dict(type="ResizeCropFlipImages", heights=[image_height], training=False),
    dict(type="PackClip"),
]
# Queues of four frames: of the four before the current one, one is left out at random.
train_frames = dict(frame_offsets=(-4, -3, -2, -1, 0), drop_history=1)
train_dataloader = dict(dataset=dict(classes=classes, pipeline=train_pipeline, **train_frames))
val_dataloader = dict(
    sampler=dict(_delete_=True, type="SceneSampler"),
    dataset=dict(classes=classes, frame_offsets=(0,), pipeline=test_pipeline),
)
test_dataloader = val_dataloader
