"""A few small images in COCO's format, learned by heart: evaluated on the images that were trained on."""

_base_ = ["coco_instance.py"]

data_root = "data/coco_sample/"
files = dict(
    type="CocoDataset",
    data_root=data_root,
    ann_file="annotations/instances_train.json",
    data_prefix=dict(img="train/"),
)
small = dict(type="Resize", scale=(320, 320), keep_ratio=True)
train_pipeline = [_base_.load, _base_.annotate, small, _base_.pack]
test_pipeline = [_base_.load, small, _base_.annotate, _base_.pack_test]
train_dataloader = dict(
    batch_size=1,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(_delete_=True, type="RepeatDataset", times=30, dataset=dict(files, pipeline=train_pipeline)),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(files, _delete_=True, pipeline=test_pipeline, test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + "annotations/instances_train.json")
test_evaluator = val_evaluator

max_epochs = 10
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.0),
    clip_grad=dict(max_norm=10, norm_type=2),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.04, by_epoch=False, begin=0, end=50),
    dict(type="CosineAnnealingLR", T_max=max_epochs, eta_min_ratio=0.01, convert_to_iter_based=True),
]
