"""Pascal VOC: trained on 2007 and 2012 trainval, each image three times an epoch; evaluated on 2007 test."""

_base_ = ["coco.py"]

data_root = "data/VOCdevkit/"


def voc(year, split):
    return dict(
        type="VOCDataset",
        data_root=data_root,
        ann_file=f"VOC{year}/ImageSets/Main/{split}.txt",
        data_prefix=dict(sub_data_root=f"VOC{year}/"),
    )


resize = dict(type="Resize", scale=(1000, 600), keep_ratio=True)
training = dict(
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=[_base_.load, _base_.annotate, resize, _base_.flip, _base_.pack],
)
trainval = [dict(voc(year, "trainval"), **training) for year in (2007, 2012)]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="RepeatDataset",
        times=3,
        # Each part notes its year as metadata; the parts may differ in it.
        dataset=dict(type="ConcatDataset", ignore_keys=["dataset_type"], datasets=trainval),
    )
)

test_pipeline = [_base_.load, resize, _base_.annotate, _base_.pack_test]
val_dataloader = dict(dataset=dict(voc(2007, "test"), _delete_=True, test_mode=True, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type="VOCMetric", metric="mAP", eval_mode="11points")
test_evaluator = val_evaluator
