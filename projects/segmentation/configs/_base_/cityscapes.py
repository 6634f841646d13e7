"""Cityscapes, 19 classes (https://arxiv.org/abs/1604.01685), in crops of 512 x 1024.

Every size in the tests is a multiple of 32 already.
"""

_base_ = ["data.py"]

from projects.segmentation import pipelines

dataset = dict(type="CityscapesDataset", data_root="data/cityscapes")
train_folders = dict(img_path="leftImg8bit/train", seg_map_path="gtFine/train")
val_folders = dict(img_path="leftImg8bit/val", seg_map_path="gtFine/val")
crop_size = (512, 1024)
scale = (2048, 1024)
count_size = (1024, 2048)

train_pipeline = pipelines.train_pipeline(scale, crop_size)
test_pipeline = pipelines.test_pipeline(scale, whole_strides=False)
tta_pipeline = pipelines.tta_pipeline(scale, whole_strides=False)

train_dataloader = dict(dataset=dict(data_prefix=train_folders, pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(data_prefix=val_folders, pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
