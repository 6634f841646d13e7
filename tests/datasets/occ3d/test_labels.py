"""Label files, and labels under augmentation of the bev frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bev.datasets.occ3d import (
    FREE,
    GRID,
    UNKNOWN,
    OccupancyLabelError,
    OccupancyLabels,
    find_labels,
    label_path,
    read_labels,
    write_labels,
)
from bev.datasets.occ3d.classes import label_of_category
from bev.errors import InputError
from bev.geometry import rotation_z


@pytest.fixture
def labels() -> OccupancyLabels:
    generator = np.random.default_rng(0)
    semantics = generator.integers(0, FREE + 1, GRID.shape, dtype=np.uint8)
    return OccupancyLabels(semantics, generator.random(GRID.shape) < 0.5, generator.random(GRID.shape) < 0.2)


def same(first: OccupancyLabels, second: OccupancyLabels) -> bool:
    names = ("semantics", "mask_lidar", "mask_camera")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in names)


def test_files_return_what_was_written(tmp_path: Path, labels: OccupancyLabels) -> None:
    path = label_path(tmp_path, "scene-0001", "token")
    write_labels(path, labels)
    assert same(read_labels(path), labels)
    assert find_labels(tmp_path, ["token"]) == {"token": path}


def test_missing_files_are_named(tmp_path: Path, labels: OccupancyLabels) -> None:
    with pytest.raises(OccupancyLabelError, match=r"gts: no such folder"):
        find_labels(tmp_path, ["token"])
    write_labels(label_path(tmp_path, "scene", "here"), labels)
    with pytest.raises(OccupancyLabelError, match=r"no labels for 1 of 2 samples, such as gone"):
        find_labels(tmp_path, ["here", "gone"])
    with pytest.raises(OccupancyLabelError, match=r"labels\.npz: no such file"):
        read_labels(label_path(tmp_path, "scene", "gone"))


@pytest.mark.parametrize("damage", ["cut", "text", "shape", "range", "negative", "nan", "mask", "key"])
def test_damaged_files_are_named(tmp_path: Path, labels: OccupancyLabels, damage: str) -> None:
    path = tmp_path / "labels.npz"
    write_labels(path, labels)
    arrays = {"semantics": labels.semantics, "mask_lidar": labels.mask_lidar, "mask_camera": labels.mask_camera}
    if damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "text":
        path.write_text("not a zip file")
    elif damage == "shape":
        np.savez_compressed(path, **{name: array[:10] for name, array in arrays.items()})
    elif damage == "range":
        np.savez_compressed(path, **{**arrays, "semantics": np.full(GRID.shape, 18, dtype=np.uint8)})
    elif damage == "negative":
        np.savez_compressed(path, **{**arrays, "semantics": np.full(GRID.shape, -1, dtype=np.int8)})
    elif damage == "nan":
        np.savez_compressed(path, **{**arrays, "semantics": np.full(GRID.shape, np.nan)})
    elif damage == "mask":
        np.savez_compressed(path, **{**arrays, "mask_camera": np.full(GRID.shape, np.nan)})
    else:
        np.savez_compressed(path, semantics=labels.semantics)
    with pytest.raises(OccupancyLabelError, match=r"labels\.npz: "):
        read_labels(path)


@pytest.mark.parametrize("angle_degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", [(1, 1), (-1, 1), (1, -1)])
def test_flips_and_quarter_turns_are_exact(labels: OccupancyLabels, angle_degrees: int, flip: tuple) -> None:
    turn = np.diag([*flip, 1.0, 1.0]) @ rotation_z(np.radians(angle_degrees))
    moved = labels.transformed(turn)
    assert not (moved.semantics == UNKNOWN).any()
    assert same(moved.transformed(np.linalg.inv(turn)), labels)
    expected = labels.semantics[:: flip[0], :: flip[1]]
    if angle_degrees == 0:
        assert np.array_equal(moved.semantics, expected)


def test_voxels_follow_points(labels: OccupancyLabels) -> None:
    aug_T_bev = np.diag([1.05, -1.05, 1.05, 1.0]) @ rotation_z(0.3)
    moved = labels.transformed(aug_T_bev)
    index = np.array([150, 70, 9])
    centre = np.append(GRID.to_metres(index + 0.5), 1.0)
    before, inside = GRID.indices((np.linalg.inv(aug_T_bev) @ centre)[:3])
    assert inside
    assert moved.semantics[tuple(index)] == labels.semantics[tuple(before)]
    outside = moved.semantics == UNKNOWN
    assert 0 < outside.mean() < 0.5
    assert not moved.mask_camera[outside].any()


def test_the_real_file(shared_data: Path) -> None:
    (path,) = (shared_data / "occ3d").glob("*_labels.npz")
    labels = read_labels(path)
    assert 0.5 < (labels.semantics == FREE).mean() < 0.99
    mirrored = labels.transformed(np.diag([1.0, -1.0, 1.0, 1.0]))
    assert same(mirrored.transformed(np.diag([1.0, -1.0, 1.0, 1.0])), labels)


def test_a_category_that_lidarseg_lacks_is_refused() -> None:
    assert label_of_category("noise") == UNKNOWN
    with pytest.raises(InputError, match=r"'vehicle\.boat' is none of nuScenes-lidarseg's"):
        label_of_category("vehicle.boat")


@pytest.mark.parametrize("names", [("../escaped", "token"), ("scene", "../../../escaped")])
def test_labels_lie_in_their_folder(tmp_path: Path, names: tuple[str, str]) -> None:
    with pytest.raises(InputError, match=r"gts: .*escaped' can't be part of a file's name"):
        label_path(tmp_path, *names)
