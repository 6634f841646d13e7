"""BEVFormer v2 with ResNet-50, two frames: the published R50 t2 setting (val NDS 51.8, mAP 42.0 in 24 epochs).

The published model starts from a COCO FCOS checkpoint in caffe style: set model.backbone.init_cfg to yours.
"""

_base_ = ["_base_/bevformerv2.py"]

model = dict(
    data_preprocessor=dict(mean=(103.53, 116.28, 123.675), std=(1.0, 1.0, 1.0), to_rgb=False),
    backbone=dict(
        type="mmdet.ResNet",
        depth=50,
        out_indices=(1, 2, 3),
        norm_cfg=dict(type="SyncBN", requires_grad=True),
        norm_eval=False,
        style="caffe",
    ),
    neck=dict(in_channels=[512, 1024, 2048]),
)
