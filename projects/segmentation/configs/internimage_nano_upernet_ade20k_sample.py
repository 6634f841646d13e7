"""A UperNet that a CPU trains in a minute on the three pictures that CSAILVision/sceneparsing ships as a sample.

It shows that data, model, training, metric and resumption fit together: it learns the three pictures by heart.
"""

_base_ = ["_base_/upernet.py", "_base_/data.py", "_base_/schedule_160k.py"]

max_iters, scale = 100, (160, 160)
model = dict(
    data_preprocessor=dict(size=(128, 160)),
    backbone=dict(channels=32, depths=(1, 1, 2, 1), groups=(2, 4, 8, 16), drop_path_rate=0.0),
    decode_head=dict(in_channels=[32, 64, 128, 256], channels=64),
    auxiliary_head=None,
)

dataset = dict(
    type="ADE20KDataset",
    data_root="data/ade20k_sceneparsing/sampleData",
    data_prefix=dict(img_path="images", seg_map_path="annotations"),
)
fit = dict(type="Resize", scale=scale, keep_ratio=True)
train_pipeline = [_base_.load_image, _base_.load_labels, fit, _base_.whole_strides, dict(type="PackSegInputs")]
test_pipeline = [_base_.load_image, fit, _base_.whole_strides, *_base_.finish_test]
tta_pipeline = [
    _base_.load_image,
    dict(
        type="TestTimeAug", transforms=[[fit], [_base_.whole_strides], _base_.both_directions, *_base_.finish_tta]
    ),
]
in_process = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    dataset=dict(pipeline=train_pipeline, **dataset), **{**_base_.train_loader, "batch_size": 3, **in_process}
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset), **{**_base_.val_loader, **in_process})
test_dataloader = val_dataloader

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=6e-3))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.2, by_epoch=False, begin=0, end=5),
    dict(type="PolyLR", power=0.5, eta_min=0.0, by_epoch=False, begin=0, end=max_iters),
]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=50))
