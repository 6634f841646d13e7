"""Cascade Mask R-CNN, InternImage-XL, 1x."""

_base_ = ["_base_/cascade_mask_rcnn.py", "_base_/coco_instance.py", "_base_/schedule_1x.py", "_base_/runtime.py"]

model = dict(backbone=dict(variant="xl"), neck=dict(in_channels=[192, 384, 768, 1536]))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.94))
published = dict(
    parameters=387e6,
    multiply_adds=1782e9,
    result="box 55.3, mask 48.1 AP",
    source="OpenGVLab/InternImage, detection/README.md",
)
