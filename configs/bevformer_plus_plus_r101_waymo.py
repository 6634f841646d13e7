"""BEVFormer++ with ResNet-101-DCN on a fifth of Waymo, the backbone of the report's ablation (2209.05324, table 5).

Published on val: LET-3D-APL 34.6, LET-3D-APH 46.1 of the plain model (BEVFormer with L1 loss and none of the
improvements). It starts from an FCOS3D checkpoint: convert it with tools/convert_checkpoint.py, give it as load_from.
"""

_base_ = ["_base_/bevformer_plus_plus.py"]

model = dict(
    data_preprocessor=dict(mean=(103.53, 116.28, 123.675), std=(1.0, 1.0, 1.0), to_rgb=False),
    backbone=dict(
        type="mmdet.ResNet",
        depth=101,
        out_indices=(1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type="BN", requires_grad=False),
        norm_eval=True,
        style="caffe",
        dcn=dict(type="DCNv2", deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, False, True, True),
    ),
    neck=dict(in_channels=[512, 1024, 2048]),
)
