"""The nano model on nuScenes and Waymo at once: six and five cameras, images of two shapes, Waymo's classes.

Half of the training samples come from each data set, however large they are; one evaluation gives both data sets'
metrics.
"""

_base_ = ["bevformerv2_internimage_nano_waymo_synthetic.py", "_base_/nuscenes_as_waymo.py"]

# nuScenes looks back as far as ahead.
detection_range = _base_.detection_range
model = dict(
    encoder=dict(grid=dict(bounds=(-detection_range, -detection_range, -0.5, detection_range, detection_range, 3.0)))
)
waymo_train_pipeline = [
    dict(type="BoxRangeFilter", radius=detection_range) if step["type"] == "BoxRangeFilter" else step
    for step in _base_.train_pipeline
]
# Camera embeddings are shared: nuScenes has its right cameras before its left ones.
waymo = dict(cameras=("FRONT", "FRONT_RIGHT", "FRONT_LEFT", "SIDE_RIGHT", "SIDE_LEFT"))
mixed = dict(_delete_=True, type="MixedClipDataset")
train_dataloader = dict(
    sampler=dict(_delete_=True, type="MultiDataSampler", dataset_ratio=(1, 1)),
    dataset=dict(
        datasets=[
            _base_.nuscenes_train,
            dict(_base_.train_dataloader.dataset, pipeline=waymo_train_pipeline, **waymo),
        ],
        **mixed,
    ),
)
val_dataloader = dict(
    dataset=dict(datasets=[_base_.nuscenes_val, dict(_base_.val_dataloader.dataset, **waymo)], **mixed)
)
test_dataloader = val_dataloader
val_evaluator = [_base_.nuscenes_evaluator, _base_.val_evaluator]
test_evaluator = val_evaluator
