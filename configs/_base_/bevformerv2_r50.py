"""BEVFormer v2 with ResNet-50: what its published configurations share.

The published models start from a COCO FCOS checkpoint in caffe style: convert it with tools/convert_checkpoint.py, then
give it as load_from.
"""

_base_ = ["bevformerv2.py"]

model = dict(
    data_preprocessor=_base_.caffe_values,
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
