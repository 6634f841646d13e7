"""Cityscapes with the 20,000 coarsely labelled images, whose labels were refined by a model before training.

The refined labels (folder refinement_final) carry the names of fine ones, *_gtFine_labelTrainIds.png.
"""

_base_ = ["cityscapes.py"]

train_parts = [
    dict(data_prefix=dict(img_path=f"leftImg8bit/{split}", seg_map_path=f"{labels}/{split}"), **_base_.dataset)
    for split, labels in (("train", "gtFine"), ("train_extra", "refinement_final"))
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        datasets=[dict(pipeline=_base_.train_pipeline, **part) for part in train_parts],
    )
)
