"""CrowdHuman: whole bodies of people, also where they are hidden; AP, log-average miss rate and Jaccard index."""

_base_ = ["coco.py"]

data_root = "data/CrowdHuman/"
train_dataloader = dict(
    dataset=dict(
        type="CrowdHumanDataset",
        data_root=data_root,
        ann_file="annotation_train.odgt",
        data_prefix=dict(img="Images/"),
    )
)
val_dataloader = dict(
    dataset=dict(
        type="CrowdHumanDataset",
        data_root=data_root,
        ann_file="annotation_val.odgt",
        data_prefix=dict(img="Images/"),
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True, type="CrowdHumanMetric", ann_file=data_root + "annotation_val.odgt", metric=["AP", "MR", "JI"]
)
test_evaluator = val_evaluator
