"""The golden arrays of BEVFormer v2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def golden_t1(goldens: Path) -> np.lib.npyio.NpzFile:
    """One frame, one query group, 20 x 20 cells."""
    return np.load(goldens / "bevformerv2_t1_base" / "golden.npz")


@pytest.fixture(scope="session")
def golden_t2(goldens: Path) -> np.lib.npyio.NpzFile:
    """Two frames, 11 query groups, 20 x 20 cells."""
    return np.load(goldens / "bevformerv2_t2_group" / "golden.npz")


@pytest.fixture(scope="session")
def golden_rect(goldens: Path) -> np.lib.npyio.NpzFile:
    """Two samples with their own cameras, 12 x 20 cells."""
    return np.load(goldens / "bevformerv2_rect" / "golden.npz")
