"""Errors of the geometry room."""

from __future__ import annotations

from bev.errors import InputError


class CalibrationError(InputError):
    """A pose or an intrinsic matrix that cannot be right; the message says where it came from."""
