"""BEVFormer tiny: ResNet-50, 50 x 50 cells, images at half size, one level (published: val NDS 35.4, mAP 25.2)."""

_base_ = ["bevformer_small.py"]

grid = dict(bounds=_base_.bev_bounds, shape=(50, 50))
heights = [450]

model = dict(
    data_preprocessor=dict(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375), to_rgb=True),
    backbone=dict(
        _delete_=True,
        type="mmdet.ResNet",
        depth=50,
        out_indices=(3,),
        frozen_stages=1,
        norm_cfg=dict(type="BN", requires_grad=False),
        norm_eval=True,
        style="pytorch",
    ),
    encoder=dict(grid=grid),
    temporal=dict(grid=grid),
)
train_pipeline, test_pipeline = _base_.train_pipeline, _base_.test_pipeline
train_pipeline[2].heights = test_pipeline[1].heights = heights
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
