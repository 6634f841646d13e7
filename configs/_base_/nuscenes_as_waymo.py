"""nuScenes of the synthetic world with Waymo's classes, for models that learn from both data sets."""

nuscenes_root = "data/synthetic"
# Waymo counts motorcycles as vehicles, with or without rider, and its cyclists are people on bicycles.
class_mapping = dict(
    car="vehicle",
    truck="vehicle",
    bus="vehicle",
    trailer="vehicle",
    construction_vehicle="vehicle",
    motorcycle="vehicle",
    bicycle="cyclist",
)
nuscenes = dict(
    type="NuScenesClipDataset",
    data_root=nuscenes_root,
    classes=("vehicle", "pedestrian", "cyclist"),
    class_mapping=class_mapping,
    bev_frame="ego",
    frame_offsets=(0,),
)
nuscenes_images = dict(type="ResizeCropFlipImages", crop=(0, 66, 352, 198), size=(96, 256))
nuscenes_range = 32.0
nuscenes_train = dict(
    ann_file="nuscenes_infos_train.pkl",
    pipeline=[
        dict(type="LoadMultiCameraImages"),
        nuscenes_images,
        dict(type="BoxRangeFilter", radius=nuscenes_range),
        dict(type="PackClip"),
    ],
    **nuscenes,
)
nuscenes_val = dict(
    ann_file="nuscenes_infos_val.pkl",
    pipeline=[
        dict(type="LoadMultiCameraImages"),
        dict(nuscenes_images, training=False),
        dict(type="PackClip"),
    ],
    test_mode=True,
    **nuscenes,
)
# nuScenes keeps cars and trucks apart, which the model does not: a truck that it finds is a car too many there.
nuscenes_evaluator = dict(
    type="NuScenesNDS",
    data_root=nuscenes_root,
    version="v1.0-trainval",
    split="val",
    class_range_cap=nuscenes_range,
    classes=dict(vehicle="car", pedestrian="pedestrian", cyclist="bicycle"),
)
