"""A tiny InternImage for tests: a folder with a tar of images per class, learned by heart in seconds on a CPU."""

_base_ = [
    "_base_/runtime.py",
    "_base_/classifier_from_scratch.py",
    "_base_/imagenet_224.py",
    "_base_/schedule_300_epochs.py",
]

num_classes, size, max_epochs = 2, 64, 20
model = dict(
    backbone=dict(channels=16, depths=(1, 1, 2, 1), groups=(1, 2, 4, 8), num_classes=num_classes, drop_path_rate=0.0),
    head=dict(loss=dict(num_classes=num_classes, label_smooth_val=0.0), topk=(1,)),
    train_cfg=None,
)
data_preprocessor = dict(num_classes=num_classes)

data_root = "archive://data/imagenet"
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="ResizeEdge", scale=size, edge="short"),
    dict(type="CenterCrop", crop_size=size),
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    dict(type="PackInputs"),
]
test_pipeline = [*train_pipeline[:3], dict(type="PackInputs")]
dataset = dict(type="CustomDataset", data_root=data_root, data_prefix="train", _delete_=True)
train_dataloader = dict(batch_size=3, num_workers=0, dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(batch_size=3, num_workers=0, dataset=dict(pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(type="Accuracy", topk=(1,), _delete_=True)
test_evaluator = val_evaluator

custom_hooks = _base_.custom_hooks[:-1]  # averages over 10,000 steps would still be the initial weights
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [dict(type="ConstantLR", factor=1.0, by_epoch=True)]
auto_scale_lr = dict(enable=False)
default_hooks = dict(logger=dict(interval=1))
