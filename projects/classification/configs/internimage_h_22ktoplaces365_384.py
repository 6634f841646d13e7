"""InternImage-H fine-tuned on Places365; no settings of the published run are known, so these are iNaturalist's."""

_base_ = "internimage_h_22ktoinat18_384.py"

num_classes = 365
model = dict(backbone=dict(num_classes=num_classes), head=dict(loss=dict(num_classes=num_classes)))
data_preprocessor = dict(num_classes=num_classes)

data_root = "data/places365"


def places365(split, folder, pipeline):
    return dict(
        _delete_=True,
        type="Places365",
        data_root=data_root,
        data_prefix=folder,
        ann_file=f"places365_{split}.txt",
        pipeline=pipeline,
    )


train_dataloader = dict(dataset=places365("train_standard", "data_large_standard", _base_.train_pipeline))
val_dataloader = dict(dataset=places365("val", "val_large", _base_.test_pipeline))
test_dataloader = val_dataloader
published = dict(
    _delete_=True,
    result="61.2 top-1",
    source="README of OpenGVLab/InternImage",
    note="settings of the published run unknown",
)
