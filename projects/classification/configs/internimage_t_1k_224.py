"""InternImage-T from random weights on ImageNet-1K."""

_base_ = [
    "_base_/runtime.py",
    "_base_/classifier_from_scratch.py",
    "_base_/imagenet_224.py",
    "_base_/schedule_300_epochs.py",
]

model = dict(backbone=dict(variant="t"))
published = dict(
    parameters=30e6,
    multiply_adds=5e9,
    result="83.5 top-1",
    source="arXiv 2211.05778, table 2",
    note="the authors' G are rounded",
)
