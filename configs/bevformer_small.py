"""BEVFormer small: R101-DCN, 150 x 150 cells, images at 0.8, one feature level (published: val NDS 47.9, mAP 37.0)."""

_base_ = ["_base_/bevformer.py"]

published = dict(result="47.9 / 37.0", source="2203.17270")

grid = dict(bounds=_base_.bev_bounds, shape=(150, 150))
heights = [720]
offsets = (-3, -2, -1, 0)  # one of the first three is left out: queues of three frames

model = dict(
    backbone=dict(out_indices=(3,), with_cp=True),
    neck=dict(in_channels=[2048], num_outs=1),
    encoder=dict(grid=grid, num_layers=3, num_levels=1),
    temporal=dict(grid=grid),
)
train_pipeline, test_pipeline = _base_.train_pipeline, _base_.test_pipeline
train_pipeline[2].heights = test_pipeline[1].heights = heights
train_dataloader = dict(dataset=dict(frame_offsets=offsets, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
