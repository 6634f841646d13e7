"""Waymo, cameras only: where it lies, the classes, clips, augmentation, the loaders and the challenge's metric.

Range, classes, full images, queue and augmentation are those of BEVFormer++ (arXiv 2209.05324 and its published
baseline, OpenDriveLab/Birds-eye-view-Perception).
"""

_base_ = ["clip_loaders.py"]

data_root = "data/waymo"
classes = ("vehicle", "pedestrian", "cyclist")
bev_bounds = (-35.0, -75.0, -3.0, 75.0, 75.0, 4.0)  # the vehicle's frame; no camera looks back

# The report's "mini" set has a fifth of the training data; here, every fifth frame, which is nuScenes' rate of 2 Hz.
# All frames, as for its last models: train_dataloader.dataset.interval=1. A submission needs
# test_dataloader.dataset.interval=1 and test_evaluator.interval=1.
interval = 5
# Four frames as published. How far apart they are is not: 0.5 s, as in BEVFormer on nuScenes. Of five frames one of the
# history is left out at random in training.
train_frames = dict(frame_offsets=(-20, -15, -10, -5, 0), drop_history=1)
test_frames = dict(frame_offsets=(-15, -10, -5, 0))

train_pipeline = [
    dict(type="LoadMultiCameraImages", num_threads=2),
    dict(type="UndistortImages"),
    dict(type="PhotometricDistortion"),
    dict(type="ResizeCropFlipImages", scales=(0.9, 1.1)),
    dict(type="MirrorScene", probability=0.5),
    dict(type="BoxRangeFilter", bounds=bev_bounds),
    dict(type="PackClip"),
]
test_pipeline = [
    dict(type="LoadMultiCameraImages", num_threads=2),
    dict(type="UndistortImages"),
    dict(type="PackClip"),
]
# tools/test.py --tta. That there was test-time augmentation is published, the scales are those of the training.
tta_pipeline = [
    *test_pipeline[:-1],
    dict(
        type="TestTimeAug",
        transforms=[
            [
                dict(type="ResizeCropFlipImages", scales=(0.9, 0.9)),
                dict(type="ResizeCropFlipImages", scales=(1.0, 1.0)),
                dict(type="ResizeCropFlipImages", scales=(1.1, 1.1)),
            ],
            [dict(type="MirrorScene", probability=0.0), dict(type="MirrorScene", probability=1.0)],
            [dict(type="PackClip")],
        ],
    ),
]
tta_model = dict(type="AugmentedDetection", method="wbf")

dataset = dict(type="WaymoClipDataset", data_root=data_root, classes=classes, interval=interval)
train_dataloader = dict(
    dataset=dict(ann_file="waymo_infos_training.pkl", pipeline=train_pipeline, **train_frames, **dataset)
)
val_dataloader = dict(
    dataset=dict(
        ann_file="waymo_infos_validation.pkl", pipeline=test_pipeline, test_mode=True, **test_frames, **dataset
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type="WaymoMetric", data_root=data_root, ann_file="waymo_infos_validation.pkl", interval=interval, workers=4
)
test_evaluator = val_evaluator
