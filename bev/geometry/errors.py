"""Errors of the geometry room."""

from __future__ import annotations


class CalibrationError(ValueError):
    """A pose or an intrinsic matrix that cannot be right; the message says where it came from."""
