"""InternImage-H fine-tuned on iNaturalist 2018, from images alone.

The published model also looks at each picture's place and date, so its result is no aim for this one.
"""

_base_ = [
    "_base_/runtime.py",
    "_base_/classifier_fine_tuned.py",
    "_base_/imagenet_384.py",
    "_base_/schedule_20_epochs.py",
]

num_classes, max_epochs = 8142, 100
model = dict(
    backbone=dict(
        variant="h",
        num_classes=num_classes,
        drop_path_rate=0.6,
        init_cfg=dict(checkpoint="pretrained/internimage_h_jointto22k_384.pth"),
    ),
    head=dict(loss=dict(num_classes=num_classes)),
)
data_preprocessor = dict(num_classes=num_classes)

data_root = "data/inaturalist2018"
dataset = dict(type="INaturalist2018", data_root=data_root, _delete_=True)
train_dataloader = dict(dataset=dict(ann_file="train2018.json", pipeline=_base_.train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(ann_file="val2018.json", pipeline=_base_.test_pipeline, **dataset))
test_dataloader = val_dataloader

# No averaged weights, no warm-up, one learning rate for all layers.
custom_hooks = _base_.custom_hooks[:-1]
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=1.0, dcn_lr_mult=1.0))
param_scheduler = [
    dict(type="CosineAnnealingLR", eta_min=0.0, by_epoch=True, T_max=max_epochs, convert_to_iter_based=True)
]
published = dict(
    result="92.3 top-1",
    source="README of OpenGVLab/InternImage",
    note="published with place and date as further inputs; here images alone",
)
