"""An InternImage that starts from weights of ImageNet-22K: no mixup, strong label smoothing, gradient checkpointing.

The head starts from random weights, since it has other classes.
"""

num_classes = 1000
model = dict(
    type="ImageClassifier",
    backbone=dict(
        type="InternImage",
        variant="l",
        num_classes=num_classes,
        with_cp=True,
        init_cfg=dict(type="SafePretrained", checkpoint="pretrained/internimage_l_22k_192to384.pth", ignore=["head."]),
    ),
    head=dict(
        type="LogitsHead",
        loss=dict(type="LabelSmoothLoss", label_smooth_val=0.3, num_classes=num_classes, mode="original"),
        topk=(1, 5),
    ),
)
