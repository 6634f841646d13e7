"""Mask2Former with InternImage-H on COCO-Stuff 164K; published on 16 GPUs of 1 image."""

_base_ = ["_base_/mask2former_wide.py", "_base_/coco_stuff164k.py", "_base_/schedule_80k.py"]

num_classes = 171
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(num_classes=num_classes, loss_cls=dict(class_weight=[1.0] * num_classes + [0.1])),
)
train_dataloader = dict(batch_size=1)

published = dict(
    parameters=1.31e9,
    multiply_adds=4635e9,
    result="52.6 / 52.8 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
    note="the authors' G leave out attention and the products of queries and pixels",
)
