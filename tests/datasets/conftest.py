"""Lets mmdet3d import without mmcv's compiled extension."""

from __future__ import annotations

import bev  # noqa: F401
