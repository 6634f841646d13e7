"""InternImage-H, from 427 million images and ImageNet-22K, fine-tuned on ImageNet-1K at 640 pixels."""

_base_ = [
    "_base_/runtime.py",
    "_base_/classifier_fine_tuned.py",
    "_base_/imagenet_640.py",
    "_base_/schedule_20_epochs.py",
]

model = dict(backbone=dict(variant="h", init_cfg=dict(checkpoint="pretrained/internimage_h_jointto22k_384.pth")))
published = dict(parameters=1.08e9, multiply_adds=1478e9, result="89.6 top-1", source="arXiv 2211.05778, table 2")
