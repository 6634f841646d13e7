"""CrowdHuman: whole bodies of people, also where they are hidden; AP, log-average miss rate and Jaccard index."""

_base_ = ["coco.py"]

data_root = "data/CrowdHuman/"


def crowdhuman(split):
    return dict(
        type="CrowdHumanDataset",
        data_root=data_root,
        ann_file=f"annotation_{split}.odgt",
        data_prefix=dict(img="Images/"),
    )


train_dataloader = dict(dataset=crowdhuman("train"))
val_dataloader = dict(dataset=crowdhuman("val"))
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True, type="CrowdHumanMetric", ann_file=data_root + "annotation_val.odgt", metric=["AP", "MR", "JI"]
)
test_evaluator = val_evaluator
