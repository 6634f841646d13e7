"""Occupancy baseline with R50-DCN, one encoder layer and two feature levels."""

_base_ = ["_base_/occupancy.py"]

model = dict(
    backbone=dict(depth=50, out_indices=(2, 3), with_cp=True),
    neck=dict(in_channels=[1024, 2048], num_outs=2),
    encoder=dict(num_layers=1, num_levels=2),
)

heights = [720]  # images at 0.8
train_pipeline, test_pipeline = _base_.train_pipeline, _base_.test_pipeline
train_pipeline[3].heights = test_pipeline[2].heights = heights
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
