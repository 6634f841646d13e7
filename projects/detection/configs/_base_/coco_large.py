"""COCO 2017 for DINO on H and G: boxes, large images, one per GPU."""

_base_ = ["coco.py"]

larger = dict(_base_.multi_scale_large, scale=[(2000, 600), (2000, 1800)])
train_pipeline = [_base_.load, _base_.annotate, _base_.flip, larger, _base_.pack]
train_dataloader = dict(batch_size=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline_large))
test_dataloader = val_dataloader
