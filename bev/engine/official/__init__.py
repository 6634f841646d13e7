"""Checkpoints of the official repositories: their names, and what has to be folded into the weights."""

from bev.engine.official.conversion import ConversionReport, convert_official, export_official

__all__ = ["ConversionReport", "convert_official", "export_official"]
