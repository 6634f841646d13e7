"""A generated scene and a generated data set, small, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from nuscenes.nuscenes import NuScenes

from bev.datasets.synthetic import Observation, Scene, build_scene, generate, observe

SIZE = (160, 90)


@pytest.fixture(scope="session")
def scene() -> Scene:
    """Two key frames."""
    return build_scene("test", (7, 0), 2, SIZE)


@pytest.fixture(scope="session")
def observations(scene: Scene) -> list[Observation]:
    return list(observe(scene))


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root of a data set with one training and one held-out scene of three key frames."""
    root = tmp_path_factory.mktemp("synthetic")
    generate(root, scenes=1, val_scenes=1, frames=3, seed=3, workers=1, image_size=SIZE, progress=False)
    return root


@pytest.fixture(scope="session")
def nusc(dataset: Path) -> NuScenes:
    return NuScenes("v1.0-trainval", str(dataset), verbose=False)
