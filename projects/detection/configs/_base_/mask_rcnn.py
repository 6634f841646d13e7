"""Mask R-CNN (arXiv 1703.06870) on InternImage: mmdet's detector and heads; the variant comes on top.

Drop path and layer scale of a variant are those of its published detector (`bev/models/backbones/internimage`).
"""

_base_ = ["mmdet::_base_/models/mask-rcnn_r50_fpn.py"]

model = dict(backbone=dict(_delete_=True, type="InternImage", out_indices=(0, 1, 2, 3), with_cp=False))
