"""Occupancy baseline with R101-DCN (published: 23.67 mIoU on val)."""

_base_ = ["_base_/occupancy.py"]
