"""A UperNet that a CPU trains in a minute on the three pictures that CSAILVision/sceneparsing ships as a sample.

It shows that data, model, training, metric and resumption fit together: it learns the three pictures by heart.
"""

_base_ = ["_base_/upernet_t.py", "_base_/data.py", "_base_/schedule_160k.py"]

from projects.segmentation import pipelines

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
test_pipeline = pipelines.test_pipeline(scale)
load_image, fit, whole_strides, load_labels, pack = test_pipeline
train_pipeline = [load_image, load_labels, fit, whole_strides, pack]
tta_pipeline = pipelines.tta_pipeline(scale, ratios=[1.0])
in_process = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(batch_size=3, dataset=dict(pipeline=train_pipeline, **dataset), **in_process)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset), **in_process)
test_dataloader = val_dataloader

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=6e-3))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.2, by_epoch=False, begin=0, end=5),
    dict(type="PolyLR", power=0.5, eta_min=0.0, by_epoch=False, begin=0, end=max_iters),
]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=50))
