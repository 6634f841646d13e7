"""OpenImages v6 boxes, 601 classes: each class equally often in training, the challenge's metric at IoU 0.5."""

_base_ = ["coco.py"]

data_root = "data/OpenImages/"
files = dict(
    type="OpenImagesDataset",
    data_root=data_root,
    label_file="annotations/class-descriptions-boxable.csv",
    hierarchy_file="annotations/bbox_labels_600_hierarchy.json",
)
resize = dict(type="Resize", scale=(1024, 800), keep_ratio=True)
train_dataloader = dict(
    sampler=dict(_delete_=True, type="ClassAwareSampler", num_sample_class=1),
    dataset=dict(
        _delete_=True,
        ann_file="annotations/oidv6-train-annotations-bbox.csv",
        data_prefix=dict(img="OpenImages/train/"),
        meta_file="annotations/train-image-metas.pkl",
        pipeline=[_base_.load, _base_.annotate, resize, _base_.flip, _base_.pack],
        **files,
    ),
)

# The metric wants to know which classes people confirmed or ruled out for the whole image.
pack_test = dict(_base_.pack_test, meta_keys=(*_base_.pack_test.meta_keys, "instances", "image_level_labels"))
test_pipeline = [_base_.load, resize, _base_.annotate, pack_test]
test_pipeline_large = [_base_.load, _base_.one_scale_large, _base_.annotate, pack_test]
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        ann_file="annotations/validation-annotations-bbox.csv",
        data_prefix=dict(img="OpenImages/validation/"),
        meta_file="annotations/validation-image-metas.pkl",
        image_level_ann_file="annotations/validation-annotations-human-imagelabels-boxable.csv",
        test_mode=True,
        pipeline=test_pipeline,
        **files,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True, type="OpenImagesMetric", iou_thrs=0.5, ioa_thrs=0.5, use_group_of=True, get_supercategory=True
)
test_evaluator = val_evaluator
