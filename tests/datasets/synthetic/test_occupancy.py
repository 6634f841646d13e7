"""True voxels of the world against what its sensors see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bev.datasets.occ3d import CLASSES, FREE, GRID, OccupancyLabels, label_path, read_labels
from bev.datasets.occ3d.classes import label_of_category
from bev.datasets.occ3d.labels import write_labels
from bev.datasets.synthetic import Observation, Scene, generate, occupancy
from bev.datasets.synthetic.nuscenes_tables import token
from bev.datasets.synthetic.occupancy import export_occupancy, lidar_beams, true_labels
from bev.datasets.synthetic.semantics import CATEGORIES


@pytest.fixture(scope="module")
def labels(scene: Scene) -> list[OccupancyLabels]:
    beams = lidar_beams(scene)
    return [true_labels(scene, frame, beams) for frame in range(len(scene))]


def test_lidar_points_lie_in_voxels_of_their_class(
    scene: Scene, observations: list[Observation], labels: list[OccupancyLabels]
) -> None:
    table = np.array([label_of_category(name) for name in CATEGORIES])
    agreed, counted = 0, 0
    for seen, truth in zip(observations, labels, strict=True):
        points = seen.sweep.points[:, :3] @ scene.rig.ego_T_lidar[:3, :3].T + scene.rig.ego_T_lidar[:3, 3]
        voxels, inside = GRID.indices(points)
        i, j, k = voxels[inside].T
        assert (truth.semantics[i, j, k] != FREE).mean() > 0.99
        assert truth.mask_lidar[i, j, k].mean() > 0.995
        things = table[seen.categories[inside]] < CLASSES.index("driveable_surface")
        agreed += (truth.semantics[i, j, k] == table[seen.categories[inside]])[things].sum()
        counted += things.sum()
    assert counted > 100
    assert agreed / counted > 0.97  # a voxel of two objects has one label


def test_ground_is_where_the_road_is(scene: Scene, labels: list[OccupancyLabels]) -> None:
    ground = labels[0].semantics[:, :, 2]  # from -0.2 to 0.2 m
    assert (ground != FREE).all()
    assert (labels[0].semantics[:, :, :2] == FREE).all()
    assert ground[100, 100] == CLASSES.index("driveable_surface")  # ego is on the road
    assert {CLASSES.index("sidewalk"), CLASSES.index("terrain")} <= set(np.unique(ground).tolist())


def test_cameras_see_no_voxel_behind_another(scene: Scene, labels: list[OccupancyLabels]) -> None:
    truth = labels[0]
    below = truth.mask_camera[:, :, :2]
    assert not below.any()  # the ground hides what is under it
    assert 0.05 < truth.mask_camera.mean() < 0.9
    assert (truth.semantics[truth.mask_camera] == FREE).mean() > 0.5


def test_export_writes_each_sample_once(dataset: Path, tmp_path: Path) -> None:
    assert export_occupancy(dataset, workers=1, progress=False) == 6
    path = label_path(dataset, "synthetic-val-0001", token("synthetic-val-0001", "sample", 2))
    before = path.stat().st_mtime_ns
    assert export_occupancy(dataset, workers=1, progress=False) == 6
    assert path.stat().st_mtime_ns == before
    assert read_labels(path).mask_lidar.any()
    with pytest.raises(FileNotFoundError, match="make the world first"):
        export_occupancy(tmp_path)


def test_another_world_in_the_same_place_makes_the_labels_anew(tmp_path: Path, monkeypatch) -> None:
    name, frames, written = "synthetic-train-0001", 2, []
    paths = [label_path(tmp_path, name, token(name, "sample", t)) for t in range(frames)]

    def write(path: Path, labels: OccupancyLabels) -> None:
        if written and written[-1] == "full":
            raise OSError("disk full")
        written.append(path)
        write_labels(path, labels)

    def export(seed: int) -> list[np.ndarray]:
        options = {"image_size": (64, 36), "workers": 1, "progress": False}
        generate(tmp_path, scenes=1, val_scenes=0, frames=frames, seed=seed, **options)
        export_occupancy(tmp_path, workers=1, progress=False)
        return [read_labels(path).semantics for path in paths]

    monkeypatch.setattr(occupancy, "write_labels", write)
    first, second = export(0), export(1)
    assert all((one != other).any() for one, other in zip(first, second, strict=True))
    written.append("full")
    with pytest.raises(OSError, match="disk full"):
        export(0)
    written.clear()
    export(1)
    assert written == paths, "a stopped run may have left labels of another recipe"
    written.clear()
    paths[1].unlink()
    export(1)
    assert written == paths[1:]
    (tmp_path / "gts" / name / "recipe.json").write_text("{")
    export(1)
    assert written == [*paths[1:], *paths]
