"""ImageNet-1K at 640 pixels for fine-tuning: without erasing."""

_base_ = "imagenet_224.py"

size = 640
train_pipeline = [step for step in _base_.train_pipeline if step["type"] != "RandomErasing"]
train_pipeline[1].update(scale=size)
test_pipeline = _base_.test_pipeline
test_pipeline[1].update(scale=size)
test_pipeline[2].update(crop_size=size)

train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=16, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
