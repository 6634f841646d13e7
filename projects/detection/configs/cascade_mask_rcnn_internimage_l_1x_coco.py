"""Cascade Mask R-CNN, InternImage-L, 1x."""

_base_ = ["_base_/cascade_mask_rcnn.py", "_base_/coco_instance.py", "_base_/schedule_1x.py", "_base_/runtime.py"]

model = dict(backbone=dict(variant="l"), neck=dict(in_channels=[160, 320, 640, 1280]))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.94))
published = dict(
    parameters=277e6,
    multiply_adds=1399e9,
    result="box 54.9, mask 47.7 AP",
    source="OpenGVLab/InternImage, detection/README.md",
)
