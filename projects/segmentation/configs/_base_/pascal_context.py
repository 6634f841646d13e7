"""Pascal Context, its 59 most frequent classes, in crops of 480 x 480; label 0, the background, is ignored."""

_base_ = ["data.py"]

from projects.segmentation import pipelines

dataset = dict(
    type="PascalContextDataset59",
    data_root="data/VOCdevkit/VOC2010",
    data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClassContext"),
)
crop_size = (480, 480)
scale = (520, 520)
test_scale = (4096, 520)
count_size = (480, 480)

train_pipeline = pipelines.train_pipeline(scale, crop_size)
test_pipeline = pipelines.test_pipeline(test_scale)
tta_pipeline = pipelines.tta_pipeline(test_scale)

lists = "ImageSets/SegmentationContext"
train_dataloader = dict(dataset=dict(ann_file=f"{lists}/train.txt", pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(ann_file=f"{lists}/val.txt", pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
