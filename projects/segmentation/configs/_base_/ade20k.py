"""ADE20K scene parsing, 150 classes (https://arxiv.org/abs/1608.05442), in crops of 512 x 512."""

_base_ = ["data.py"]

from projects.segmentation import pipelines

dataset = dict(type="ADE20KDataset", data_root="data/ADEChallengeData2016")
train_folders = dict(img_path="images/training", seg_map_path="annotations/training")
val_folders = dict(img_path="images/validation", seg_map_path="annotations/validation")
crop_size = (512, 512)
scale = (2048, 512)
count_size = (512, 2048)

train_pipeline = pipelines.train_pipeline(scale, crop_size)
test_pipeline = pipelines.test_pipeline(scale)
tta_pipeline = pipelines.tta_pipeline(scale)

train_dataloader = dict(dataset=dict(data_prefix=train_folders, pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(data_prefix=val_folders, pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
