"""NYU Depth V2 as semantic segmentation into 40 classes, colour images alone, in crops of 480 x 480."""

_base_ = ["data.py"]

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

train_pipeline = [
    _base_.load_image,
    _base_.load_labels,
    dict(type="RandomResize", scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    *_base_.augment,
]
test_pipeline = [
    _base_.load_image,
    dict(type="Resize", scale=test_scale, keep_ratio=True),
    _base_.whole_strides,
    *_base_.finish_test,
]
tta_sizes = [
    dict(type="Resize", scale=(round(test_scale[0] * ratio), round(test_scale[1] * ratio)), keep_ratio=True)
    for ratio in _base_.tta_ratios
]
tta_pipeline = [
    _base_.load_image,
    dict(
        type="TestTimeAug", transforms=[tta_sizes, [_base_.whole_strides], _base_.both_directions, *_base_.finish_tta]
    ),
]

train_dataloader = dict(
    dataset=dict(ann_file="train.txt", pipeline=train_pipeline, **dataset),
    **_base_.train_loader,
)
val_dataloader = dict(
    dataset=dict(ann_file="test.txt", pipeline=test_pipeline, **dataset),
    **_base_.val_loader,
)
test_dataloader = val_dataloader
