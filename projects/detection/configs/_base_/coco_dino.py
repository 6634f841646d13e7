"""COCO 2017 for DINO: boxes, many scales."""

_base_ = ["coco.py"]

train_pipeline = [_base_.load, _base_.annotate, _base_.flip, _base_.multi_scale_dino, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
