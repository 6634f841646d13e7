"""COCO 2017 with masks, for training on many scales."""

_base_ = ["coco_instance.py"]

train_pipeline = [_base_.load, _base_.annotate, _base_.flip, _base_.multi_scale, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
