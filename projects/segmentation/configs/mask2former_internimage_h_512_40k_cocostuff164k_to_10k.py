"""Mask2Former with InternImage-H on COCO-Stuff 10K, from the weights of 164K; published on 16 GPUs of 1 image."""

_base_ = ["_base_/mask2former_wide.py", "_base_/coco_stuff10k.py", "_base_/schedule_40k.py"]

num_classes = 171
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(num_classes=num_classes, loss_cls=dict(class_weight=[1.0] * num_classes + [0.1])),
)
optim_wrapper = dict(optimizer=dict(lr=1e-5))
train_dataloader = dict(batch_size=1)

published = dict(
    parameters=1.28e9,
    multiply_adds=1528e9,
    result="59.2 / 59.6 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
    note="the authors' G leave out attention and the products of queries and pixels; "
    "they give 1.31 B for the same model on COCO-Stuff 164K",
)
