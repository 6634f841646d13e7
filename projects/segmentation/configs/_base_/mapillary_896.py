"""Mapillary Vistas in crops of 896 x 896, enlarged more."""

_base_ = ["mapillary.py"]

crop_size = (896, 896)
train_pipeline = [
    _base_.load_image,
    *_base_.load_merged_labels,
    dict(type="RandomResize", scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    *_base_.augment,
]
train_dataloader = dict(
    dataset=dict(
        datasets=[dict(pipeline=train_pipeline, **part) for part in _base_.train_parts],
    )
)
