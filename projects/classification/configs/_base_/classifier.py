"""An InternImage that classifies by itself, trained from random weights with mixup or cutmix in each batch."""

num_classes = 1000
model = dict(
    type="ImageClassifier",
    backbone=dict(type="InternImage", variant="t", num_classes=num_classes),
    head=dict(
        type="LogitsHead",
        loss=dict(type="LabelSmoothLoss", label_smooth_val=0.1, num_classes=num_classes, mode="original"),
        topk=(1, 5),
    ),
    train_cfg=dict(augments=[dict(type="Mixup", alpha=0.8), dict(type="CutMix", alpha=1.0)]),
)
