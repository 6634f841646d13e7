"""ImageNet-1K at 384 pixels for fine-tuning: without erasing."""

_base_ = "imagenet_224.py"

from projects.classification import pipelines

train_pipeline = pipelines.train_pipeline(384, erase=False)
test_pipeline = pipelines.test_pipeline(384)
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=16, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
