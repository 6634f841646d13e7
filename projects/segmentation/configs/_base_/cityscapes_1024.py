"""Cityscapes with its coarsely labelled images in crops of 1024 x 1024."""

_base_ = ["cityscapes_extra.py"]

crop_size = (1024, 1024)
train_pipeline = [
    *_base_.train_pipeline[:3],
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    *_base_.augment,
]
train_dataloader = dict(
    dataset=dict(
        datasets=[dict(pipeline=train_pipeline, **part) for part in _base_.train_parts],
    )
)
