"""COCO-Stuff 164K, 171 classes (https://arxiv.org/abs/1612.03716), in crops of 896 x 896."""

_base_ = ["data.py"]

dataset = dict(type="COCOStuffDataset", data_root="data/coco_stuff164k")
crop_size = (896, 896)
scale = (3584, 896)

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
        data_prefix=dict(img_path="images/train2017", seg_map_path="annotations/train2017"),
        pipeline=train_pipeline,
        **dataset,
    ),
    **_base_.train_loader,
)
val_dataloader = dict(
    dataset=dict(
        data_prefix=dict(img_path="images/val2017", seg_map_path="annotations/val2017"),
        pipeline=test_pipeline,
        **dataset,
    ),
    **_base_.val_loader,
)
test_dataloader = val_dataloader
