"""An InternImage that classifies by itself."""

num_classes = 1000
model = dict(
    type="ImageClassifier",
    backbone=dict(type="InternImage", num_classes=num_classes),
    head=dict(
        type="LogitsHead",
        loss=dict(type="LabelSmoothLoss", num_classes=num_classes, mode="original"),
        topk=(1, 5),
    ),
)
