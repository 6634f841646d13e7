"""A UperNet that a CPU trains in a minute on the three pictures that CSAILVision/sceneparsing ships as a sample.

It shows that data, model, training, metric and resuming fit together; it learns the three pictures by heart.
"""

_base_ = ["_base_/upernet.py", "_base_/data.py", "_base_/schedule_160k.py"]

max_iters = 150
scale = (256, 256)
model = dict(
    data_preprocessor=dict(size=scale),
    backbone=dict(channels=32, depths=(1, 1, 2, 1), groups=(2, 4, 8, 16), drop_path_rate=0.0),
    decode_head=dict(in_channels=[32, 64, 128, 256], channels=64, dropout_ratio=0.0),
    auxiliary_head=dict(in_channels=128, channels=32, dropout_ratio=0.0),
)

dataset = dict(
    type="ADE20KDataset",
    data_root="data/ade20k_sceneparsing/sampleData",
    data_prefix=dict(img_path="images", seg_map_path="annotations"),
)
resize = [dict(type="Resize", scale=scale, keep_ratio=True), _base_.whole_strides]
train_pipeline = [
    _base_.load_image,
    _base_.load_labels,
    *resize,
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
test_pipeline = [_base_.load_image, *resize, *_base_.finish_test]
tta_pipeline = [
    _base_.load_image,
    dict(
        type="TestTimeAug",
        transforms=[resize[:1], [_base_.whole_strides], _base_.both_directions, *_base_.finish_tta],
    ),
]
small_loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    dataset=dict(pipeline=train_pipeline, **dataset), **{**_base_.train_loader, "batch_size": 3, **small_loader}
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset), **{**_base_.val_loader, **small_loader})
test_dataloader = val_dataloader

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=1.0, norm_type=2))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=10),
    dict(type="PolyLR", power=1.0, eta_min=0.0, by_epoch=False, begin=0, end=max_iters),
]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=50))
