"""ImageNet-1K at 224 pixels with the augmentation of the published runs (RandAugment, erasing; mixup is the model's).

Archives are read in place: with `--data-root archive://data/imagenet`, `train` may be `train.zip`, `train.tar` or a
folder with a `.tar` or `.zip` per class (`bev.datasets.archive_backend`).
"""

_base_ = []  # with it, mmengine reads this as it reads the other configs in spite of the import

from projects.classification import pipelines

data_root = "data/imagenet"
data_preprocessor = dict(num_classes=1000, mean=pipelines.MEAN, std=pipelines.STD, to_rgb=True)
train_pipeline = pipelines.train_pipeline(224)
test_pipeline = pipelines.test_pipeline(224)


def loader(split, pipeline, shuffle):
    return dict(
        batch_size=128,
        num_workers=8,
        collate_fn=dict(type="default_collate"),
        worker_init_fn=dict(type="seed_worker"),
        sampler=dict(type="DefaultSampler", shuffle=shuffle),
        dataset=dict(type="ImageNet", data_root=data_root, split=split, pipeline=pipeline),
    )


train_dataloader = loader("train", train_pipeline, shuffle=True)
val_dataloader = loader("val", test_pipeline, shuffle=False)
test_dataloader = val_dataloader
val_evaluator = dict(type="Accuracy", topk=(1, 5))
test_evaluator = val_evaluator
val_cfg = dict()
test_cfg = dict()
