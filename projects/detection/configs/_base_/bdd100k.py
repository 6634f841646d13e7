"""BDD100K's ten classes of boxes (arXiv 1805.04687); its labels converted to COCO's format, as `bdd100k` does."""

_base_ = ["coco.py"]

data_root = "data/bdd100k/"
classes = (
    "pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle", "traffic light", "traffic sign",
)  # fmt: skip


def bdd100k(split):
    return dict(
        data_root=data_root,
        metainfo=dict(classes=classes),
        ann_file=f"labels/det_20/det_{split}_coco.json",
        data_prefix=dict(img=f"images/100k/{split}/"),
    )


train_dataloader = dict(dataset=bdd100k("train"))
val_dataloader = dict(dataset=bdd100k("val"))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + "labels/det_20/det_val_coco.json")
test_evaluator = val_evaluator
