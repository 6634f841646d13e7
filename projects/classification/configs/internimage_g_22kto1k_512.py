"""InternImage-G, from 427 million images and ImageNet-22K, fine-tuned on ImageNet-1K at 512 pixels."""

_base_ = [
    "_base_/runtime.py",
    "_base_/classifier_fine_tuned.py",
    "_base_/imagenet_512.py",
    "_base_/schedule_20_epochs.py",
]

model = dict(backbone=dict(variant="g", init_cfg=dict(checkpoint="pretrained/internimage_g_pretrainto22k_384.pth")))
published = dict(
    parameters=3e9,
    multiply_adds=2700e9,
    result="90.1 top-1",
    source="README of OpenGVLab/InternImage",
    note="the authors' billions are rounded",
)
