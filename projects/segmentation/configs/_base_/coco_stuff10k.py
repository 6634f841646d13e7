"""COCO-Stuff 10K, 171 classes (https://arxiv.org/abs/1612.03716), in crops of 512 x 512; label 0 is ignored."""

_base_ = ["data.py"]

from projects.segmentation import pipelines

dataset = dict(type="COCOStuffDataset", data_root="data/coco_stuff10k", reduce_zero_label=True)
train_folders = dict(img_path="images/train2014", seg_map_path="annotations/train2014")
val_folders = dict(img_path="images/test2014", seg_map_path="annotations/test2014")
crop_size = (512, 512)
scale = (2048, 512)
count_size = (512, 512)

train_pipeline = pipelines.train_pipeline(scale, crop_size)
test_pipeline = pipelines.test_pipeline(scale)
tta_pipeline = pipelines.tta_pipeline(scale)

train_dataloader = dict(dataset=dict(data_prefix=train_folders, pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(data_prefix=val_folders, pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
