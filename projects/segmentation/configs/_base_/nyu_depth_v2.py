"""NYU Depth V2 as semantic segmentation into 40 classes, colour images alone, in crops of 480 x 480."""

_base_ = ["data.py"]

from projects.segmentation import pipelines

classes = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter",
    "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat", "clothes", "ceiling", "books",
    "refrigerator", "television", "paper", "towel", "shower curtain", "box", "whiteboard", "person", "night stand",
    "toilet", "sink", "lamp", "bathtub", "bag", "otherstructure", "otherfurniture", "otherprop",
)  # fmt: skip
# mmseg's own class for this data set is for depth estimation.
dataset = dict(
    type="BaseSegDataset",
    data_root="data/nyu_depth_v2",
    data_prefix=dict(img_path="image", seg_map_path="label40"),
    img_suffix=".png",
    seg_map_suffix=".png",
    reduce_zero_label=True,
    metainfo=dict(classes=classes),
)
crop_size = (480, 480)
scale = (2048, 512)
test_scale = (640, 480)
count_size = (480, 480)

train_pipeline = pipelines.train_pipeline(scale, crop_size)
test_pipeline = pipelines.test_pipeline(test_scale)
tta_pipeline = pipelines.tta_pipeline(test_scale)

train_dataloader = dict(dataset=dict(ann_file="train.txt", pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(ann_file="test.txt", pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
