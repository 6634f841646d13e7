"""COCO 2017: where it lies, the loaders and the metric. `coco_instance.py` adds masks."""

_base_ = ["augmentation.py"]

data_root = "data/coco/"

load = dict(type="LoadImageFromFile")
annotate = dict(type="LoadAnnotations", with_bbox=True)
flip = dict(type="RandomFlip", prob=0.5)
pack = dict(type="PackDetInputs")
pack_test = dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor"))

train_pipeline = [load, annotate, _base_.one_scale, flip, pack]
test_pipeline = [load, _base_.one_scale, annotate, pack_test]
train_pipeline_large = [load, annotate, flip, _base_.multi_scale_large, pack]
test_pipeline_large = [load, _base_.one_scale_large, annotate, pack_test]


def coco(split):
    return dict(
        type="CocoDataset",
        data_root=data_root,
        ann_file=f"annotations/instances_{split}2017.json",
        data_prefix=dict(img=f"{split}2017/"),
    )


def loader(batch_size, shuffle, **others):
    return dict(
        batch_size=batch_size,
        num_workers=4,
        persistent_workers=True,
        sampler=dict(type="DefaultSampler", shuffle=shuffle),
        worker_init_fn=dict(type="seed_worker"),
        **others,
    )


train_dataloader = loader(
    batch_size=2,
    shuffle=True,
    batch_sampler=dict(type="AspectRatioBatchSampler"),
    dataset=dict(coco("train"), filter_cfg=dict(filter_empty_gt=True, min_size=32), pipeline=train_pipeline),
)
val_dataloader = loader(
    batch_size=1,
    shuffle=False,
    dataset=dict(coco("val"), pipeline=test_pipeline, test_mode=True),
)
test_dataloader = val_dataloader

val_evaluator = dict(type="CocoMetric", ann_file=data_root + "annotations/instances_val2017.json", metric="bbox")
test_evaluator = val_evaluator
