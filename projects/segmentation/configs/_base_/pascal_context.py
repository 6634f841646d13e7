"""Pascal Context, its 59 most frequent classes, in crops of 480 x 480; label 0, the background, is ignored."""

_base_ = ["data.py"]

dataset = dict(
    type="PascalContextDataset59",
    data_root="data/VOCdevkit/VOC2010",
    data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClassContext"),
)
crop_size = (480, 480)
scale = (520, 520)
test_scale = (4096, 520)

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
    dataset=dict(ann_file="ImageSets/SegmentationContext/train.txt", pipeline=train_pipeline, **dataset),
    **_base_.train_loader,
)
val_dataloader = dict(
    dataset=dict(ann_file="ImageSets/SegmentationContext/val.txt", pipeline=test_pipeline, **dataset),
    **_base_.val_loader,
)
test_dataloader = val_dataloader
