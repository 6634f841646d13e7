"""DINO, CB-InternImage-H on Pascal VOC.

It starts from the Objects365 detector with 20 classes. Results on 2012 come from the challenge's server.
"""

_base_ = ["_base_/composite_dino.py", "_base_/voc.py"]

model = dict(backbone=dict(variant="h"), neck=dict(in_channels=[640, 1280, 2560]), bbox_head=dict(num_classes=20))
trainval = [dict(part, pipeline=_base_.train_pipeline_large) for part in _base_.trainval]
train_dataloader = dict(batch_size=1, dataset=dict(dataset=dict(datasets=trainval)))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline_large))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=5e-5))
published = dict(
    parameters=2.18e9,
    result="94.0 mAP on 2007, 97.2 on 2012",
    source="OpenGVLab/InternImage, detection/configs/voc/README.md",
)
