"""Fixtures shared by all tests: where golden files and the small real data are."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

with suppress(ModuleNotFoundError):  # the tests of the operators also run where bev_ops is installed alone
    import bev  # lets mmdet3d import without mmcv's compiled extension

TESTS = Path(__file__).parent
# Where the modules lie that several tests import: attack, tiny_nuscenes, tool_runs, golden, golden_bevformer,
# tiny_training, sharded_training, small_configs.
SHARED = (
    ".", "configs", "engine", "goldens", "inference", "models", "models/heads", "models/heads/perspective",
    "models/temporal", "tools",
)  # fmt: skip
sys.path[:0] = [str(TESTS / folder) for folder in SHARED]

# A busy machine must not fail property tests.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def goldens() -> Path:
    """Folder with what the official implementations compute, and `golden.py`, which is importable as `golden`."""
    return TESTS / "goldens"


@pytest.fixture(scope="session")
def registered() -> None:
    """mmengine's registries know all classes of the framework."""
    bev.register_all()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with small real data: `BEV_TEST_DATA`, or `shared/data` beside the checkout. Skips where it is absent."""
    root = Path(os.environ.get("BEV_TEST_DATA", TESTS.parents[1] / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"real data not found at {root}; set BEV_TEST_DATA (see CONTRIBUTING.md)")
    return root
