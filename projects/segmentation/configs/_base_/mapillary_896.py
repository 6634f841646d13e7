"""Mapillary Vistas in crops of 896 x 896, enlarged more."""

_base_ = ["mapillary.py"]

from projects.segmentation import pipelines

crop_size = (896, 896)
train_pipeline = pipelines.train_pipeline(_base_.scale, crop_size, relabel=[_base_.merge_labels])
train_dataloader = dict(dataset=dict(datasets=[dict(pipeline=train_pipeline, **part) for part in _base_.train_parts]))
