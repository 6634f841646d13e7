"""ImageNet-1K at 512 pixels for fine-tuning."""

_base_ = "imagenet_384.py"

from projects.classification import pipelines

train_pipeline = pipelines.train_pipeline(512, erase=False)
test_pipeline = pipelines.test_pipeline(512)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
