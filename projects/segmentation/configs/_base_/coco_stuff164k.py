"""COCO-Stuff 164K, 171 classes (https://arxiv.org/abs/1612.03716), in crops of 896 x 896."""

_base_ = ["data.py"]

from projects.segmentation import pipelines

dataset = dict(type="COCOStuffDataset", data_root="data/coco_stuff164k")
train_folders = dict(img_path="images/train2017", seg_map_path="annotations/train2017")
val_folders = dict(img_path="images/val2017", seg_map_path="annotations/val2017")
crop_size = (896, 896)
scale = (3584, 896)
count_size = (896, 896)

train_pipeline = pipelines.train_pipeline(scale, crop_size)
test_pipeline = pipelines.test_pipeline(scale)
tta_pipeline = pipelines.tta_pipeline(scale)

train_dataloader = dict(dataset=dict(data_prefix=train_folders, pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(data_prefix=val_folders, pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
