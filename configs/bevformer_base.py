"""BEVFormer base: R101-DCN, 200 x 200 cells, full images (published: val NDS 51.7, mAP 41.6, 28.5 GB in training).

The published model starts from an FCOS3D checkpoint: convert it with tools/convert_checkpoint.py, give it as load_from.
"""

_base_ = ["_base_/bevformer.py"]

published = dict(result="51.7 / 41.6", source="2203.17270")
