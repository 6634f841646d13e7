from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import bev  # noqa: F401  (lets mmdet3d import)

# isort: split
from bev.datasets.index_io import read_index
from bev.datasets.nuscenes.dataset import NuScenesClipDataset
from bev.datasets.nuscenes.index_build import build_indexes as build_nuscenes
from bev.datasets.openlane_v2.classes import ATTRIBUTES
from bev.datasets.openlane_v2.dataset import OpenLaneClipDataset
from bev.datasets.openlane_v2.index_build import build_indexes
from bev.datasets.synthetic import Scene, build_scene, generate
from bev.datasets.synthetic.export_openlane import REACH, export_openlane, frame_annotation
from bev.datasets.synthetic.lane_graph import lane_graph
from bev.datasets.synthetic.render import CameraRenderer
from bev.datasets.synthetic.signals import LIGHT, governed
from bev.datasets.text_files import write_json


@pytest.fixture(scope="module")
def crossing() -> Scene:
    """A scene whose ego drives towards a junction."""
    scenes = (build_scene("crossing", (11, i), 1, (352, 198)) for i in range(20))
    return next(scene for scene in scenes if scene.network.junctions and annotation_of(scene)["traffic_element"])


def annotation_of(scene: Scene) -> dict:
    return frame_annotation(scene, 0, lane_graph(scene.network), CameraRenderer(scene, scene.rig.cameras[0]))


def test_lanes_are_within_reach_and_connected(crossing: Scene) -> None:
    annotation = annotation_of(crossing)
    points = np.array([lane["points"] for lane in annotation["lane_centerline"]])
    assert points.shape[1:] == (201, 3) and (np.abs(points[..., :2]) <= np.array(REACH) + 1e-3).all()
    follows = np.array(annotation["topology_lclc"])
    assert follows.any()
    for a, b in zip(*follows.nonzero(), strict=True):
        assert np.linalg.norm(points[a, -1] - points[b, 0]) < 1e-3


def test_the_vehicle_is_on_a_lane(crossing: Scene) -> None:
    points = np.concatenate([lane["points"] for lane in annotation_of(crossing)["lane_centerline"]])
    assert np.linalg.norm(points[:, :2], axis=1).min() < 0.5


def test_elements_are_signals_in_the_front_image_that_show_their_colour(crossing: Scene) -> None:
    renderer = CameraRenderer(crossing, crossing.rig.cameras[0])
    lanes = lane_graph(crossing.network)
    annotation = frame_annotation(crossing, 0, lanes, renderer)
    governed_lanes = np.array(annotation["topology_lcte"])
    assert governed_lanes.shape == (len(annotation["lane_centerline"]), len(annotation["traffic_element"]))
    for element in annotation["traffic_element"]:
        (left, top), (right, bottom) = element["points"]
        assert 0 <= left < right <= 352 and 0 <= top < bottom <= 198
        signal = crossing.signals[element["id"] - 10 * len(lanes)]
        assert ATTRIBUTES[element["attribute"]] == signal.meaning and element["category"] == signal.category


def test_lights_govern_their_approach_and_its_ways(crossing: Scene) -> None:
    lanes = lane_graph(crossing.network)
    for signal in crossing.signals:
        told = [lanes[i] for i in governed(signal, lanes, crossing.network, crossing.scenery)]
        if signal.category == LIGHT:
            assert told and all(lane.approach == signal.approach for lane in told)
            assert {lane.stretch is None for lane in told} == {True, False}
        else:
            assert all(lane.stretch[:2] == (signal.road, signal.side) for lane in told)


def test_one_data_set_has_boxes_and_lanes(dataset: Path) -> None:
    assert export_openlane(dataset, workers=1, progress=False) == 6
    summaries = build_indexes(dataset, "B")
    assert [(s.split, s.segments, s.frames) for s in summaries] == [("train", 1, 3), ("val", 1, 3)]
    assert all(s.lanes > 0 for s in summaries)
    build_nuscenes(dataset, "v1.0-trainval")
    both = NuScenesClipDataset(
        "nuscenes_infos_train.pkl", str(dataset), bev_frame="ego", lanes="openlane_v2_B_infos_train.pkl"
    )
    alone = OpenLaneClipDataset("openlane_v2_B_infos_train.pkl", str(dataset))
    for i in range(3):
        one, other = both.get_data_info(i), alone.get_data_info(i)
        np.testing.assert_allclose(one["gt_lanes"].lanes, other["gt_lanes"].lanes, atol=1e-4)
        assert one["gt_lanes"].token == other["sample_token"]
        for name, camera in one["frames"][0]["cameras"].items():
            np.testing.assert_allclose(camera["pix_T_bev"], other["frames"][0]["cameras"][name]["pix_T_bev"], atol=1e-6)


def test_finished_scenes_are_kept(dataset: Path) -> None:
    export_openlane(dataset, workers=1, progress=False)
    files = sorted((dataset / "train").glob("*/info/*.json"))
    before = [path.stat().st_mtime_ns for path in files]
    files[0].unlink()
    export_openlane(dataset, workers=1, progress=False)
    after = [path.stat().st_mtime_ns for path in files]
    assert after[0] > before[0] and after[1:] == before[1:]


def test_another_reach_makes_the_annotations_anew(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export_openlane(dataset, workers=1, progress=False)
    files = sorted((dataset / "train").glob("*/info/*.json"))
    before = [path.read_text(encoding="utf-8") for path in files]
    export_openlane(dataset, workers=1, progress=False, reach=(20.0, 10.0))
    lanes = [lane for path in files for lane in json.loads(path.read_text())["annotation"]["lane_centerline"]]
    points = np.array([lane["points"] for lane in lanes])
    assert len(points) and (np.abs(points[..., :2]) <= np.array((20.0, 10.0)) + 1e-3).all()

    def write_first(path: Path, content: dict) -> None:
        if path != files[0]:
            raise OSError("disk full")
        write_json(path, content)

    near = files[0].read_text(encoding="utf-8")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr("bev.datasets.synthetic.export_openlane.write_json", write_first)
        export_openlane(dataset, workers=1, progress=False)
    assert files[0].read_text(encoding="utf-8") == before[0]
    export_openlane(dataset, workers=1, progress=False, reach=(20.0, 10.0))
    assert files[0].read_text(encoding="utf-8") == near
    export_openlane(dataset, workers=1, progress=False)
    assert [path.read_text(encoding="utf-8") for path in files] == before
    with pytest.raises(ValueError, match="reach must be positive"):
        export_openlane(dataset, progress=False, reach=(20.0, 0.0))


def test_another_world_in_the_same_place_makes_the_annotations_anew(tmp_path: Path) -> None:
    options = {"scenes": 1, "val_scenes": 0, "frames": 2, "workers": 1, "image_size": (64, 36), "progress": False}

    def exported(seed: int) -> list[str]:
        generate(tmp_path, **options, seed=seed)
        export_openlane(tmp_path, workers=1, progress=False)
        return [path.read_text(encoding="utf-8") for path in sorted((tmp_path / "train").glob("*/info/*.json"))]

    first, second = exported(0), exported(1)
    assert len(first) == len(second) == 2
    assert all(
        json.loads(one)["annotation"] != json.loads(other)["annotation"]
        for one, other in zip(first, second, strict=True)
    )
    assert exported(0) == first


def test_a_folder_without_a_world(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no generated scenes; make the world first"):
        export_openlane(tmp_path, progress=False)


def test_the_index_knows_its_cameras(dataset: Path) -> None:
    export_openlane(dataset, workers=1, progress=False)
    index = read_index(build_indexes(dataset, "B")[0].path)
    assert index["metainfo"]["camera_names"][0] == "CAM_FRONT" and len(index["metainfo"]["camera_names"]) == 6
