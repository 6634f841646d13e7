"""Cityscapes, 19 classes (https://arxiv.org/abs/1604.01685), in crops of 512 x 1024.

Every size in the tests is a multiple of 32 already.
"""

_base_ = ["data.py"]

dataset = dict(type="CityscapesDataset", data_root="data/cityscapes")
crop_size = (512, 1024)
scale = (2048, 1024)

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
    *_base_.finish_test,
]
tta_sizes = [
    dict(type="Resize", scale=(round(scale[0] * ratio), round(scale[1] * ratio)), keep_ratio=True)
    for ratio in _base_.tta_ratios
]
tta_pipeline = [
    _base_.load_image,
    dict(type="TestTimeAug", transforms=[tta_sizes, _base_.both_directions, *_base_.finish_tta]),
]

train_dataloader = dict(
    dataset=dict(
        data_prefix=dict(img_path="leftImg8bit/train", seg_map_path="gtFine/train"), pipeline=train_pipeline, **dataset
    ),
    **_base_.train_loader,
)
val_dataloader = dict(
    dataset=dict(
        data_prefix=dict(img_path="leftImg8bit/val", seg_map_path="gtFine/val"), pipeline=test_pipeline, **dataset
    ),
    **_base_.val_loader,
)
test_dataloader = val_dataloader
