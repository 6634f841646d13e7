"""Cascade R-CNN (arXiv 1712.00726) on InternImage: mmdet's detector with its own box heads, without masks."""

_base_ = ["mmdet::_base_/models/cascade-rcnn_r50_fpn.py"]

model = dict(backbone=dict(_delete_=True, type="InternImage", out_indices=(0, 1, 2, 3), with_cp=False))
