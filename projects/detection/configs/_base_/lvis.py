"""LVIS v1 on COCO's images, rare classes repeated; the metric needs the package `lvis`."""

_base_ = ["coco.py"]

data_root = "data/lvis_v1/"


def lvis(split):
    return dict(
        type="LVISV1Dataset",
        data_root=data_root,
        ann_file=f"annotations/lvis_v1_{split}.json",
        data_prefix=dict(img=""),
    )


training = dict(filter_cfg=dict(filter_empty_gt=True, min_size=32), pipeline=_base_.train_pipeline)
train_dataloader = dict(
    dataset=dict(
        _delete_=True, type="ClassBalancedDataset", oversample_thr=1e-3, dataset=dict(lvis("train"), **training)
    )
)
val_dataloader = dict(dataset=lvis("val"))
test_dataloader = val_dataloader
val_evaluator = dict(type="LVISMetric", ann_file=data_root + "annotations/lvis_v1_val.json")
test_evaluator = val_evaluator
