"""The ops are tested through mmcv's public functions, which must reach the stand-in to test it."""

from __future__ import annotations

import importlib

import pytest
import torch

import bev  # noqa: F401  (installs the stand-in)
from bev.compat.mmcv_ext import SERVED_OPS


@pytest.fixture(autouse=True)
def stand_in() -> None:
    extension = importlib.import_module("mmcv._ext")
    if extension.nms is not SERVED_OPS["nms"]:
        pytest.skip("a full mmcv is installed and serves these ops itself")


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)
