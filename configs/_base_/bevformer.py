"""BEVFormer as published (arXiv 2203.17270): recurrent BEV, CAN bus values, 24 epochs; sizes and backbones come on top.

Learning rate: 2e-4 at 8 samples per step (8 GPUs x 1); other totals are scaled linearly and the factor is printed.
Evaluation runs through each scene from its first frame (`video_test_mode`), as published.
"""

_base_ = ["default_runtime.py", "nuscenes.py", "schedule_24_epochs.py"]

# The published weights list the classes in this order.
classes = (
    "car", "truck", "construction_vehicle", "bus", "trailer",
    "barrier", "motorcycle", "bicycle", "pedestrian", "traffic_cone",
)  # fmt: skip
dims = 256
grid = dict(bounds=_base_.bev_bounds, shape=(200, 200))

model = dict(
    type="BEVPerceptor",
    data_preprocessor=dict(
        type="ClipPreprocessor",
        mean=(103.53, 116.28, 123.675),
        std=(1.0, 1.0, 1.0),
        to_rgb=False,
        pad_divisor=32,
        grid_mask=dict(ratio=0.5, probability=0.7),
    ),
    backbone=dict(
        type="mmdet.ResNet",
        depth=101,
        out_indices=(1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type="BN", requires_grad=False),
        norm_eval=True,
        style="caffe",
        dcn=dict(type="DCNv2", deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, False, True, True),
    ),
    neck=dict(
        type="mmdet.FPN",
        in_channels=[512, 1024, 2048],
        out_channels=dims,
        num_outs=4,
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
        can_bus_dims=18,
    ),
    temporal=dict(type="RecurrentBEV", grid=grid, motion="can_bus", rotation_centre=(100, 100)),
    heads=dict(
        detection=dict(
            type="BEVDetectionHead",
            num_classes=len(classes),
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
            box_loss=dict(kind="l1", weight=0.25),
            code_weights=(1.0,) * 8 + (0.2,) * 2,
            max_num=300,
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
