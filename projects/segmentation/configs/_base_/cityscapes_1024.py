"""Cityscapes with its coarsely labelled images in crops of 1024 x 1024."""

_base_ = ["cityscapes_extra.py"]

from projects.segmentation import pipelines

crop_size = (1024, 1024)
train_pipeline = pipelines.train_pipeline(_base_.scale, crop_size)
train_dataloader = dict(dataset=dict(datasets=[dict(pipeline=train_pipeline, **part) for part in _base_.train_parts]))
