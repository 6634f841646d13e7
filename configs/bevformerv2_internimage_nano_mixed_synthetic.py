"""The nano model on nuScenes and Waymo at once: six and five cameras, images of two shapes, Waymo's classes.

Half of the training samples come from each data set, however large they are; one evaluation gives both data sets'
metrics.
"""

_base_ = ["bevformerv2_internimage_nano_waymo_synthetic.py"]

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
nuscenes_images = dict(type="ResizeCropFlipImages", crop=(0, 66, 352, 198), size=(96, 256))
nuscenes = dict(
    type="NuScenesClipDataset",
    data_root=nuscenes_root,
    classes=_base_.classes,
    class_mapping=class_mapping,
    bev_frame="ego",
    frame_offsets=(0,),
)
# Camera embeddings are shared: nuScenes has its right cameras before its left ones.
waymo = dict(cameras=("FRONT", "FRONT_RIGHT", "FRONT_LEFT", "SIDE_RIGHT", "SIDE_LEFT"))

train_dataloader = dict(
    sampler=dict(_delete_=True, type="MultiDataSampler", dataset_ratio=(1, 1)),
    dataset=dict(
        _delete_=True,
        type="MixedClipDataset",
        datasets=[
            dict(
                ann_file="nuscenes_infos_train.pkl",
                pipeline=[
                    dict(type="LoadMultiCameraImages"),
                    nuscenes_images,
                    dict(type="BoxRangeFilter", radius=_base_.detection_range),
                    dict(type="PackClip"),
                ],
                **nuscenes,
            ),
            dict(_base_.train_dataloader.dataset, **waymo),
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="MixedClipDataset",
        datasets=[
            dict(
                ann_file="nuscenes_infos_val.pkl",
                pipeline=[
                    dict(type="LoadMultiCameraImages"),
                    dict(nuscenes_images, training=False),
                    dict(type="PackClip"),
                ],
                test_mode=True,
                **nuscenes,
            ),
            dict(_base_.val_dataloader.dataset, **waymo),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = [
    # nuScenes keeps cars and trucks apart, which the model does not: a truck that it finds is a car too many there.
    dict(
        type="NuScenesNDS",
        data_root=nuscenes_root,
        version="v1.0-trainval",
        split="val",
        class_range_cap=_base_.detection_range,
        classes=dict(vehicle="car", pedestrian="pedestrian", cyclist="bicycle"),
    ),
    _base_.val_evaluator,
]
test_evaluator = val_evaluator
