"""BEVFormer tiny: ResNet-50, 50 x 50 cells, images at half size, one level (published: val NDS 35.4, mAP 25.2)."""

_base_ = ["bevformer_small.py"]

published = dict(result="35.4 / 25.2", source="2203.17270")

grid = dict(bounds=_base_.bev_bounds, shape=(50, 50))
heights = [450]

model = dict(
    data_preprocessor=_base_.imagenet_values,
    backbone=dict(_base_.r50, _delete_=True, out_indices=(3,)),
    encoder=dict(grid=grid),
    temporal=dict(grid=grid),
)
train_pipeline, test_pipeline = _base_.train_pipeline, _base_.test_pipeline
train_pipeline[2].heights = test_pipeline[1].heights = heights
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
