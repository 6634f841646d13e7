"""Occupancy baseline with R101-DCN (published: 23.67 mIoU on val)."""

_base_ = ["_base_/occupancy.py"]

published = dict(result="mIoU 23.67", source="InternImage's repository")
