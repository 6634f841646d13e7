"""Cascade R-CNN, InternImage-XL, 3x on CrowdHuman, 128 images per step.

The settings are the released ones, for which no figure was given. The published AP, 97.2, is that of InternImage-H,
whose settings were never released.
"""

_base_ = ["_base_/cascade_rcnn.py", "_base_/crowdhuman.py", "_base_/schedule_3x.py", "_base_/runtime.py"]

model = dict(
    backbone=dict(variant="xl"),
    neck=dict(in_channels=[192, 384, 768, 1536]),
    roi_head=dict(bbox_head=[dict(head, num_classes=1) for head in _base_.model.roi_head.bbox_head]),
)
train_pipeline = [_base_.load, _base_.annotate, _base_.flip, _base_.multi_scale, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4), paramwise_cfg=dict(layer_decay_rate=0.94))
auto_scale_lr = dict(base_batch_size=128)
published = dict(source="OpenGVLab/InternImage, README.md", note="97.2 AP there is InternImage-H's")
