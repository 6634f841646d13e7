"""ADE20K scene parsing, 150 classes (https://arxiv.org/abs/1608.05442), in crops of 512 x 512."""

_base_ = ["data.py"]

dataset = dict(type="ADE20KDataset", data_root="data/ADEChallengeData2016")
crop_size = (512, 512)
scale = (2048, 512)

train_pipeline = [
    _base_.load_image,
    _base_.load_labels,
    dict(type="RandomResize", scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    *_base_.augment,
]
test_pipeline = [
    _base_.load_image,
    dict(type="Resize", scale=scale, keep_ratio=True),
    _base_.whole_strides,
    *_base_.finish_test,
]
tta_sizes = [
    dict(type="Resize", scale=(round(scale[0] * ratio), round(scale[1] * ratio)), keep_ratio=True)
    for ratio in _base_.tta_ratios
]
tta_pipeline = [
    _base_.load_image,
    dict(
        type="TestTimeAug", transforms=[tta_sizes, [_base_.whole_strides], _base_.both_directions, *_base_.finish_tta]
    ),
]

train_dataloader = dict(
    dataset=dict(
        data_prefix=dict(img_path="images/training", seg_map_path="annotations/training"),
        pipeline=train_pipeline,
        **dataset,
    ),
    **_base_.train_loader,
)
val_dataloader = dict(
    dataset=dict(
        data_prefix=dict(img_path="images/validation", seg_map_path="annotations/validation"),
        pipeline=test_pipeline,
        **dataset,
    ),
    **_base_.val_loader,
)
test_dataloader = val_dataloader
