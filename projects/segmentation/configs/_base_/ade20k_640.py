"""ADE20K in crops of 640 x 640."""

_base_ = ["ade20k.py"]

from projects.segmentation import pipelines

crop_size = (640, 640)
scale = (2560, 640)
count_size = (640, 2560)

train_pipeline = pipelines.train_pipeline(scale, crop_size)
test_pipeline = pipelines.test_pipeline(scale)
tta_pipeline = pipelines.tta_pipeline(scale)

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
