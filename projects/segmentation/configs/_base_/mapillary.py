"""Mapillary Vistas v1.2 with the classes of Cityscapes, to start trainings on Cityscapes from; tested on Cityscapes.

Training and validation images are both trained on.
"""

_base_ = ["cityscapes.py"]

from projects.segmentation import pipelines

# Cityscapes' classes in order, each as numbers of Mapillary's 66; all others are ignored.
groups = (
    (13, 24, 41), (2, 15), (17,), (6,), (3,), (45, 47), (48,), (50,), (30,), (29,),
    (27,), (19,), (20, 21, 22), (55,), (61,), (54,), (58,), (57,), (52,),
)  # fmt: skip
merge_labels = dict(type="MergeLabels", groups=groups)
train_pipeline = pipelines.train_pipeline(_base_.scale, _base_.crop_size, (0.5, 1.0), relabel=[merge_labels])
train_parts = [
    dict(
        type="MapillaryDataset_v1",
        data_root="data/mapillary",
        data_prefix=dict(img_path=f"{split}/images", seg_map_path=f"{split}/labels"),
    )
    for split in ("training", "validation")
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        datasets=[dict(pipeline=train_pipeline, **part) for part in train_parts],
    )
)
