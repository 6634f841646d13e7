"""nuScenes: where it lies, the classes, clips, augmentation, the loaders and the metric."""

_base_ = ["clip_loaders.py"]

data_root = "data/nuscenes"
version = "v1.0-trainval"
classes = (
    "barrier", "bicycle", "bus", "car", "construction_vehicle",
    "motorcycle", "pedestrian", "traffic_cone", "trailer", "truck",
)  # fmt: skip

# The published models see the lower part of the image: sky and far tree tops hold no objects.
crop = (0, 260, 1600, 900)
bev_bounds = (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)

train_pipeline = [
    dict(type="LoadMultiCameraImages", num_threads=2, min_decode_scale=1.2),
    dict(type="PhotometricDistortion"),
    dict(type="ResizeCropFlipImages", crop=crop, heights=[512, 544, 576, 608, 640, 672, 704, 736, 768]),
    dict(type="RandomBEVTransform", rotation_degrees=22.5, scale=(0.95, 1.05), flip_x=0.5, flip_y=0.5),
    dict(type="BoxRangeFilter", bounds=bev_bounds, drop=False),  # perspective heads see what lies beyond
    dict(type="PackClip"),
]
test_pipeline = [
    dict(type="LoadMultiCameraImages", num_threads=2),
    dict(type="ResizeCropFlipImages", crop=crop, heights=[640], training=False),
    dict(type="PackClip"),
]

frame_offsets = (-1, 0)
dataset = dict(type="NuScenesClipDataset", data_root=data_root, classes=classes, frame_offsets=frame_offsets)

train_dataloader = dict(dataset=dict(ann_file="nuscenes_infos_train.pkl", pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    dataset=dict(ann_file="nuscenes_infos_val.pkl", pipeline=test_pipeline, test_mode=True, **dataset)
)
test_dataloader = val_dataloader

val_evaluator = dict(type="NuScenesNDS", data_root=data_root, version=version, split="val")
test_evaluator = val_evaluator
