"""COCO 2017 with masks."""

_base_ = ["coco.py"]

annotate = dict(type="LoadAnnotations", with_bbox=True, with_mask=True)
train_pipeline = [_base_.load, annotate, _base_.one_scale, _base_.flip, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_evaluator = dict(metric=["bbox", "segm"])
test_evaluator = val_evaluator
