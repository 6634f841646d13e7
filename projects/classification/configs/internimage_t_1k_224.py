"""InternImage-T from random weights on ImageNet-1K."""

_base_ = ["_base_/runtime.py", "_base_/imagenet_224.py", "_base_/schedule_300_epochs.py"]

model = dict(
    type="ImageClassifier",
    backbone=dict(type="InternImage", variant="t", num_classes=1000),
    head=dict(
        type="LogitsHead",
        loss=dict(type="LabelSmoothLoss", label_smooth_val=0.1, num_classes=1000, mode="original"),
        topk=(1, 5),
    ),
    train_cfg=dict(augments=[dict(type="Mixup", alpha=0.8), dict(type="CutMix", alpha=1.0)]),
)
published = dict(parameters=30e6, multiply_adds=5e9, result="83.5 top-1", source="arXiv 2211.05778, table 2")
