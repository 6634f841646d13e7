"""ImageNet-1K at 224 pixels with the augmentation of the published runs (RandAugment, erasing; mixup is the model's).

Archives are read in place: with `--data-root archive://data/imagenet`, `train` may be `train.zip`, `train.tar` or a
folder with a `.tar` or `.zip` per class (`bev.datasets.archive_backend`).
"""

data_root = "data/imagenet"
data_preprocessor = dict(
    num_classes=1000,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
bgr_mean = data_preprocessor["mean"][::-1]
bgr_std = data_preprocessor["std"][::-1]
size = 224

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="RandomResizedCrop", scale=size, backend="pillow", interpolation="bicubic"),
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    dict(
        type="RandAugment",
        policies="timm_increasing",
        num_policies=2,
        total_level=10,
        magnitude_level=9,
        magnitude_std=0.5,
        hparams=dict(pad_val=[round(value) for value in bgr_mean], interpolation="bicubic"),
    ),
    dict(type="RandomErasing", erase_prob=0.25, mode="rand", fill_color=bgr_mean, fill_std=bgr_std),
    dict(type="PackInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="ResizeEdge", scale=size, edge="short", backend="pillow", interpolation="bicubic"),
    dict(type="CenterCrop", crop_size=size),
    dict(type="PackInputs"),
]
train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    collate_fn=dict(type="default_collate"),
    worker_init_fn=dict(type="seed_worker"),
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(type="ImageNet", data_root=data_root, split="train", pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=8,
    collate_fn=dict(type="default_collate"),
    worker_init_fn=dict(type="seed_worker"),
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(type="ImageNet", data_root=data_root, split="val", pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="Accuracy", topk=(1, 5))
test_evaluator = val_evaluator
val_cfg = dict()
test_cfg = dict()
