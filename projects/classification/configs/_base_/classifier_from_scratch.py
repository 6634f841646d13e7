"""An InternImage that is trained from random weights, with mixup or cutmix in each batch."""

_base_ = "classifier.py"

model = dict(
    backbone=dict(variant="t"),
    head=dict(loss=dict(label_smooth_val=0.1)),
    train_cfg=dict(augments=[dict(type="Mixup", alpha=0.8), dict(type="CutMix", alpha=1.0)]),
)
