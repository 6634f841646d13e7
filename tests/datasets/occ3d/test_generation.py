"""Labels made from LiDAR points against the synthetic world's truth, and the running of the generator."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bev.datasets.nuscenes.lidar_files import LidarFileError
from bev.datasets.occ3d import CLASSES, FREE, GRID, OccupancyLabelError, label_path, read_labels
from bev.datasets.occ3d.generation import Shard, generate_labels
from bev.datasets.synthetic import generate
from bev.datasets.synthetic.occupancy import export_occupancy
from bev.evaluation.occupancy import confusion, miou_of

VERSION = "v1.0-trainval"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root of two scenes with sweeps and their true labels; labels made from LiDAR are in `generated`."""
    root = tmp_path_factory.mktemp("world")
    options = {"scenes": 1, "val_scenes": 1, "frames": 10, "workers": 1, "image_size": (96, 54), "progress": False}
    generate(root, **options, sweeps=4)
    export_occupancy(root, VERSION, workers=1, progress=False)
    assert generate_labels(root, VERSION, root / "generated") == (20, 20)
    return root


def files(root: Path) -> dict[str, Path]:
    return {path.parent.name: path for path in sorted((root / "gts").glob("*/*/labels.npz"))}


def test_labels_agree_with_the_world(world: Path) -> None:
    truth, made = files(world), files(world / "generated")
    assert made.keys() == truth.keys()
    table, cameras = np.zeros((len(CLASSES), len(CLASSES)), dtype=np.int64), []
    for token in truth:
        expected, found = read_labels(truth[token]), read_labels(made[token])
        table += confusion(found.semantics, expected.semantics, expected.mask_lidar)
        cameras.append((found.mask_camera == expected.mask_camera).mean())
        # What is called free was passed by a ray: hardly any of it is solid, but for edges that rays graze.
        free = found.mask_lidar & (found.semantics == FREE) & expected.mask_lidar
        assert (expected.semantics[free] != FREE).mean() < 0.005
    assert miou_of(table)["mIoU"] >= 0.9
    assert np.mean(cameras) >= 0.95


def test_without_point_labels_boxes_and_map_decide(world: Path, tmp_path: Path) -> None:
    for name in ("samples", "sweeps", "maps"):
        (tmp_path / name).symlink_to(world / name)
    shutil.copytree(world / VERSION, tmp_path / VERSION, ignore=shutil.ignore_patterns("lidarseg.json"))
    generate_labels(tmp_path, VERSION, shard=Shard(0, 2), sweep_stride=0)
    table = np.zeros((len(CLASSES), len(CLASSES)), dtype=np.int64)
    for token, path in files(tmp_path).items():
        expected = read_labels(files(world)[token])
        table += confusion(read_labels(path).semantics, expected.semantics, expected.mask_lidar)
    iou = miou_of(table)
    assert min(iou[name] for name in ("car", "truck", "bus")) > 0.6
    road, pavement, terrain = (CLASSES.index(name) for name in ("driveable_surface", "sidewalk", "terrain"))
    assert table[road, road] > 0.8 * table[road].sum()
    assert table[pavement, road] > 0.7 * table[pavement].sum()  # the map tells no sidewalks from carriageways
    assert table[terrain, terrain] > 0.5 * table[terrain].sum()
    assert iou["vegetation"] == 0.0


def test_what_exists_is_kept_and_what_is_missing_is_made(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "generated", tmp_path / "out")
    one = next(iter(files(tmp_path / "out").values()))
    before = one.read_bytes()
    one.unlink()
    others = {path: path.stat().st_mtime_ns for path in files(tmp_path / "out").values()}
    assert generate_labels(world, VERSION, tmp_path / "out") == (20, 1)
    assert one.read_bytes() == before
    assert all(path.stat().st_mtime_ns == time for path, time in others.items())


def test_shards_are_parts_of_the_scenes(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        done = generate_labels(world, VERSION, tmp_path, shard=Shard(number, 3), sweep_stride=0)
        assert done == ((10, 10) if number < 2 else (0, 0))
    assert files(tmp_path).keys() == files(world).keys()
    assert Shard.parse("2/7") == Shard(2, 7)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert Shard.of_environment() == Shard(1, 4)
    for wrong in ("3/3", "1", "a/b"):
        with pytest.raises(OccupancyLabelError, match="shard"):
            Shard.parse(wrong)
    monkeypatch.setenv("RANK", "x")
    with pytest.raises(OccupancyLabelError, match="not 'x/4'"):
        Shard.of_environment()


@pytest.mark.parametrize("damage", ["missing", "cut", "labels"])
def test_damaged_recordings_are_named(world: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(world, tmp_path / "world", ignore=shutil.ignore_patterns("CAM_*", "generated", "gts"))
    root = tmp_path / "world"
    rows = json.loads((root / VERSION / "lidarseg.json").read_text())
    record = next(
        row
        for row in json.loads((root / VERSION / "sample_data.json").read_text())
        if row["token"] == rows[3]["sample_data_token"]
    )
    path = root / (rows[3] if damage == "labels" else record)["filename"]
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises((OSError, LidarFileError, OccupancyLabelError), match=path.name):
        generate_labels(root, VERSION, tmp_path / "out", sweep_stride=0)
    assert not list((tmp_path / "out").rglob("*.npz"))


def test_files_lie_where_the_reader_looks(world: Path) -> None:
    token, path = next(iter(files(world / "generated").items()))
    assert path == label_path(world / "generated", path.parent.parent.name, token)
    assert read_labels(path).semantics.shape == GRID.shape
