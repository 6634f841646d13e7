"""An InternImage that starts from weights of ImageNet-22K: no mixup, strong label smoothing, gradient checkpointing.

The head starts from random weights, since it has other classes.
"""

_base_ = "classifier.py"

model = dict(
    backbone=dict(
        variant="l",
        with_cp=True,
        init_cfg=dict(type="SafePretrained", checkpoint="pretrained/internimage_l_22k_192to384.pth", ignore=["head."]),
    ),
    head=dict(loss=dict(label_smooth_val=0.3)),
)
