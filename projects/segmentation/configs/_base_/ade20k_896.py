"""ADE20K in crops of 896 x 896."""

_base_ = ["ade20k.py"]

from projects.segmentation import pipelines

crop_size = (896, 896)
scale = (3584, 896)
count_size = (896, 896)

train_pipeline = pipelines.train_pipeline(scale, crop_size)
test_pipeline = pipelines.test_pipeline(scale)
tta_pipeline = pipelines.tta_pipeline(scale)

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
