"""The nano model of the synthetic world on its Waymo segments: five cameras, the challenge's boxes and LET metrics."""

_base_ = ["bevformerv2_internimage_nano_synthetic.py"]

data_root = "data/synthetic_waymo"
classes = ("vehicle", "pedestrian", "cyclist")
# The vehicle frame has its origin on the ground; three of the five cameras look ahead, where most objects are.
bev_bounds = (-6.4, -32.0, -0.5, 57.6, 32.0, 3.0)
# Boxes count from an overlap of half their volume on, so their size and yaw weigh more; no metric looks at velocity.
code_weights = (1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0)

model = dict(
    encoder=dict(grid=dict(bounds=bev_bounds)),
    heads=dict(
        detection=dict(
            num_classes=len(classes),
            decoder=dict(queries=dict(num_classes=len(classes), code_weights=code_weights)),
            code_weights=code_weights,
        ),
        perspective=dict(num_classes=len(classes)),
    ),
)

# The horizon is at half the height of the front pictures, 235 pixels, and above a third of the side ones, 162.
images = dict(type="ResizeCropFlipImages", size=(128, 256))
train_pipeline = [
    dict(type="LoadMultiCameraImages"),
    dict(type="UndistortImages"),
    images,
    dict(type="BoxRangeFilter", bounds=bev_bounds),
    dict(type="PackClip"),
]
test_pipeline = [
    dict(type="LoadMultiCameraImages"),
    dict(type="UndistortImages"),
    dict(training=False, **images),
    dict(type="PackClip"),
]
dataset = dict(
    _delete_=True, type="WaymoClipDataset", data_root=data_root, classes=classes, frame_offsets=_base_.frame_offsets
)
train_dataloader = dict(dataset=dict(ann_file="waymo_infos_training.pkl", pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    dataset=dict(ann_file="waymo_infos_validation.pkl", pipeline=test_pipeline, test_mode=True, **dataset)
)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type="WaymoMetric", data_root=data_root, ann_file="waymo_infos_validation.pkl")
test_evaluator = val_evaluator

# Frames of one segment resemble each other: many short segments, each seen once, teach more than few seen often.
train_cfg = dict(max_epochs=1, val_interval=1)
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], T_max=1)]
