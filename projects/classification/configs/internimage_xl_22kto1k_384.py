"""InternImage-XL, from ImageNet-22K, fine-tuned on ImageNet-1K at 384 pixels."""

_base_ = [
    "_base_/runtime.py",
    "_base_/classifier_fine_tuned.py",
    "_base_/imagenet_384.py",
    "_base_/schedule_20_epochs.py",
]

model = dict(backbone=dict(variant="xl", init_cfg=dict(checkpoint="pretrained/internimage_xl_22k_192to384.pth")))
published = dict(parameters=335e6, multiply_adds=163e9, result="88.0 top-1", source="arXiv 2211.05778, table 2")
