"""BEVFormer++ with ResNet-101-DCN on a fifth of Waymo, the backbone of the report's ablation (2209.05324, table 5).

Published on val: LET-3D-APL 34.6, LET-3D-APH 46.1 of the plain model (BEVFormer with L1 loss and none of the
improvements). It starts from an FCOS3D checkpoint: convert it with tools/convert_checkpoint.py, give it as load_from.
"""

_base_ = ["_base_/bevformer_plus_plus.py", "_base_/resnet.py"]

published = dict(result="LET-3D-APL 34.6 without the improvements", source="2209.05324")

model = dict(
    data_preprocessor=_base_.caffe_values,
    backbone=_base_.r101_dcn,
    neck=dict(in_channels=[512, 1024, 2048]),
)
