"""nuScenes and Waymo as one data set."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.registry import DATA_SAMPLERS
from tiny_nuscenes import write_pictures, write_tables
from tiny_waymo import write_release

import bev
from bev.datasets.collate import collate_clips
from bev.datasets.mixed import MixedClipDataset
from bev.datasets.nuscenes.index_build import build_indexes
from bev.datasets.waymo.index_build import build_indexes as build_waymo_indexes

CLASSES = ("vehicle", "pedestrian", "cyclist")
PIPELINE = [dict(type="LoadMultiCameraImages"), dict(type="PackClip")]


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """Configs of six nuScenes samples and three Waymo frames."""
    bev.register_all()
    root = write_tables(tmp_path_factory.mktemp("nuscenes"))
    build_indexes(root, "v1.0-mini")
    write_pictures(root)
    waymo = write_release(tmp_path_factory.mktemp("waymo"), {"validation": ("c",)})
    build_waymo_indexes(waymo)
    shared = dict(classes=CLASSES, pipeline=PIPELINE)
    return [
        dict(
            type="NuScenesClipDataset",
            ann_file="nuscenes_infos_mini_val.pkl",
            data_root=str(root),
            bev_frame="ego",
            min_points=0,
            class_mapping=dict(car="vehicle", bicycle="cyclist"),
            **shared,
        ),
        dict(type="WaymoClipDataset", ann_file="waymo_infos_validation.pkl", data_root=str(waymo), **shared),
    ]


def test_samples_of_both_in_one_batch(members: list[dict]) -> None:
    mixed = MixedClipDataset(members)
    assert len(mixed) == 9
    assert mixed.metainfo == {"classes": CLASSES, "bev_frame": "ego", "datasets": ("nuscenes", "waymo")}
    batch = collate_clips([mixed[0], mixed[6]])
    assert batch["inputs"].camera_mask.sum(-1).tolist() == [[2], [5]]
    assert [sample.metainfo["dataset"] for sample in batch["data_samples"]] == ["nuscenes", "waymo"]
    labels = [sample.gt_instances_3d.labels_3d.tolist() for sample in batch["data_samples"]]
    assert labels == [[0, 1, 2], [0, 1, 2]]  # a car, a walker and a cyclist each; neither cone nor sign
    assert [mixed.scene_of(number) for number in (0, 3, 6)] == ["scene-0103", "scene-0916", "c"]


def test_shares_of_a_training(members: list[dict]) -> None:
    mixed = MixedClipDataset(members)
    for ratio, expected in (((1, 1), 0.5), ((1, 3), 0.75)):
        sampler = DATA_SAMPLERS.build(dict(type="MultiDataSampler", dataset=mixed, dataset_ratio=ratio, seed=0))
        drawn = []
        for epoch in range(200):
            sampler.set_epoch(epoch)
            drawn += list(sampler)
        assert len(drawn) == 1800
        assert np.mean(np.array(drawn) >= 6) == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(classes=CLASSES[:2]), "classes of nuscenes is .* but that of waymo is"),
        (dict(bev_frame="lidar"), "bev_frame of nuscenes is lidar, but that of waymo is ego"),
    ],
)
def test_data_sets_that_differ_are_refused(members: list[dict], change: dict, message: str) -> None:
    nuscenes = {**members[0], **change}
    if "classes" in change:
        nuscenes["class_mapping"] = dict(car="vehicle")
    with pytest.raises(ValueError, match=message):
        MixedClipDataset([nuscenes, members[1]])


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (dict(van="vehicle", car="vehicle", bicycle="cyclist"), "no class van"),
        (dict(car="vehicle"), "no class cyclist"),
    ],
)
def test_mappings_that_make_no_sense(members: list[dict], mapping: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MixedClipDataset([{**members[0], "class_mapping": mapping}])
