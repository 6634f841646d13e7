from __future__ import annotations

import json
import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest
from tiny_nuscenes import true_objects, write_tables
from tiny_openlane import write_openlane

from bev.datasets.index_io import IndexFormatError, read_index, write_index
from bev.datasets.nuscenes.index_build import build_indexes as build_nuscenes_indexes
from bev.datasets.nuscenes.submission import format_boxes, write_submission
from bev.datasets.occ3d import FREE, GRID, OccupancyLabelError, OccupancyLabels, label_path, write_labels
from bev.datasets.occ3d.submission import write_prediction
from bev.datasets.openlane_v2.devkit_format import annotation_of
from bev.datasets.openlane_v2.index_build import build_indexes
from bev.datasets.submission_errors import SubmissionError
from bev.datasets.waymo.objects import ObjectsFileError, objects_from_arrays, read_objects
from bev.evaluation.waymo_let import MetricConfigError
from bev.evaluation.waymo_let.benchmark import synthetic_objects

TOOL = Path(__file__).parents[2] / "tools" / "evaluate.py"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Predictions in two files, and ground truths that top LiDAR and a camera see, but for the first 5."""
    predictions, truths = synthetic_objects(frames=4, objects=10, each=2)
    for k in range(2):
        part = {name: array[k::2] for name, array in predictions.items()}
        message = objects_from_arrays(part, ["segment"] * len(part["type"]), part["frame"])
        (tmp_path / f"p{k}.bin").write_bytes(message.SerializeToString())
    truths["score"] = np.ones(len(truths["type"]))
    message = objects_from_arrays(truths, ["segment"] * len(truths["type"]), truths["frame"])
    for row, entry in enumerate(message.objects):
        entry.object.num_lidar_points_in_box = 9
        entry.object.num_top_lidar_points_in_box = 9 * (row >= 5)
        entry.object.most_visible_camera_name = "FRONT"
        entry.object.camera_synced_box.CopyFrom(entry.object.box)
    (tmp_path / "g.bin").write_bytes(message.SerializeToString())
    return {name: str(tmp_path / f"{name}.bin") for name in ("p0", "p1", "g")}


def evaluate(*arguments: str) -> None:
    runpy.run_path(str(TOOL))["main"](["waymo", *arguments])


def test_the_challenge_metrics(files: dict, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "values.json"
    predictions = ("--results", files["p0"], files["p1"])
    evaluate(*predictions, "--ground-truth", files["g"], "--workers", "2", "--out", str(out))
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "4 frames, 80 predictions, 35 ground truths"
    values = json.loads(out.read_text())
    mean = values["ALL_NS_LEVEL_2"]
    told = [f"LET-3D-{kind} {mean[kind]:.4f}" for kind in ("APL", "AP", "APH")]
    assert " ".join(printed[1].split()) == " ".join(["ALL_NS_LEVEL_2", *told])
    assert 0 < mean["APL"] < mean["AP"] < 1
    assert len(printed) == len(values) + 1 == 38


def test_frames_of_one_side_only_are_counted(files: dict, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    def some(name: str, segment: str, frames: slice) -> str:
        arrays = {"box": np.ones((4, 7)), "type": np.ones(4), "score": np.ones(4)}
        part = {key: array[frames] for key, array in arrays.items()}
        message = objects_from_arrays(part, [segment] * len(part["type"]), np.arange(4)[frames])
        for entry in message.objects:
            entry.object.num_lidar_points_in_box = 9
        (tmp_path / name).write_bytes(message.SerializeToString())
        return str(tmp_path / name)

    truth = some("truth.bin", "segment", slice(0, 3))
    evaluate("--predictions", some("later.bin", "segment", slice(1, 4)), "--ground-truth", truth, "--metric", "3d")
    printed = capsys.readouterr().out.splitlines()
    assert printed[1] == "1 of them without a prediction, 1 without a ground truth"
    with pytest.raises(ObjectsFileError, match="no frame in common"):
        evaluate("--predictions", some("other.bin", "other", slice(0, 4)), "--ground-truth", truth, "--metric", "3d")


def test_plain_metrics_and_a_perfect_prediction(files: dict, capsys: pytest.CaptureFixture) -> None:
    evaluate("--predictions", files["g"], "--ground-truth", files["g"], "--metric", "3d", "--levels", "1")
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith("40 ground truths")
    assert printed[1].split() == ["ALL_NS_LEVEL_1", "AP", "1.0000", "APH", "1.0000"]


def test_ground_truths_of_which_none_counts(files: dict, tmp_path: Path) -> None:
    message = read_objects(files["g"])
    for entry in message.objects:
        entry.object.ClearField("most_visible_camera_name")
    (tmp_path / "old.bin").write_bytes(message.SerializeToString())
    given = ("--predictions", files["p0"], "--ground-truth", str(tmp_path / "old.bin"))
    with pytest.raises(ObjectsFileError, match=r"old\.bin: none of 40 objects .* releases before 1\.3\.2 lack"):
        evaluate(*given)
    evaluate(*given, "--metric", "3d")
    for entry in message.objects:
        entry.object.num_lidar_points_in_box = 0
    (tmp_path / "old.bin").write_bytes(message.SerializeToString())
    with pytest.raises(ObjectsFileError, match="objects has points of the LiDAR; there is nothing to evaluate against"):
        evaluate(*given, "--metric", "3d")


def test_a_config_of_ones_own(files: dict, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    config = tmp_path / "config.txt"
    text = "breakdown_generator_ids: ONE_SHARD difficulties {} matcher_type: TYPE_HUNGARIAN box_type: TYPE_3D "
    config.write_text(text + "iou_thresholds: [0, .5, .3, .3, .3] score_cutoffs: [0, 1]")
    evaluate("--predictions", files["g"], "--ground-truth", files["g"], "--config", str(config))
    assert capsys.readouterr().out.splitlines()[1].startswith("ONE_SHARD_LEVEL_2")
    config.write_text(text)
    with pytest.raises(MetricConfigError, match="IoU thresholds"):
        evaluate("--predictions", files["g"], "--ground-truth", files["g"], "--config", str(config))


@pytest.fixture
def occupancy(tmp_path: Path) -> Path:
    """Root with an index and labels of two samples, predictions that are right but for one voxel, and a second gts."""
    mount = np.eye(4)
    mount[:3, 3] = 0.9, 0.0, 1.8
    place = {"scene_token": "s", "ego2global": np.eye(4).tolist(), "lidar_points": {"lidar2ego": mount.tolist()}}
    records = [{"token": token, "timestamp": 0.0, **place} for token in "ab"]
    write_index(tmp_path / "val.pkl", {"dataset": "nuscenes"}, records)
    semantics = np.full(GRID.shape, FREE, dtype=np.uint8)
    semantics[:, :, 2] = 11
    seen = np.ones(GRID.shape, dtype=bool)
    for token in "ab":
        write_labels(label_path(tmp_path, "scene", token), OccupancyLabels(semantics, seen, seen))
        half = np.arange(GRID.shape[0])[:, None, None] < 100
        write_labels(label_path(tmp_path / "other", "scene", token), OccupancyLabels(semantics, seen, seen & half))
        wrong = semantics.copy()
        wrong[0, 0, 2] = 4
        (tmp_path / "out").mkdir(exist_ok=True)
        write_prediction(tmp_path / "out", token, wrong)
    return tmp_path


def test_occupancy_of_files_and_of_the_most_frequent_classes(occupancy: Path, capsys: pytest.CaptureFixture) -> None:
    data = ["occupancy", "--root", str(occupancy), "--index", str(occupancy / "val.pkl")]
    main = runpy.run_path(str(TOOL))["main"]
    main([*data, "--results", str(occupancy / "out"), "--out", str(occupancy / "values.json")])
    values = json.loads((occupancy / "values.json").read_text())
    main([*data, "--predictions", str(occupancy / "out"), "--out", str(occupancy / "again.json")])
    assert json.loads((occupancy / "again.json").read_text()) == values
    assert values["IoU_camera/driveable_surface"] == pytest.approx(1 - 1 / 200**2)
    assert values["mIoU_camera"] == pytest.approx((1 - 1 / 200**2) / 2)  # a car where there is none
    assert "RayIoU" in capsys.readouterr().out
    main([*data, "--most-frequent", str(occupancy / "val.pkl"), "--out", str(occupancy / "values.json")])
    assert json.loads((occupancy / "values.json").read_text())["mIoU"] == 1.0


def test_labels_are_compared_with_the_truth(occupancy: Path, capsys: pytest.CaptureFixture) -> None:
    folders = ["--labels", str(occupancy / "other" / "gts"), "--truth", str(occupancy / "gts")]
    runpy.run_path(str(TOOL))["main"](["occupancy-labels", *folders])
    assert "2 samples; same camera mask: 50.00 %, same LiDAR mask: 100.00 %" in capsys.readouterr().out
    with pytest.raises(OccupancyLabelError, match="no labels"):
        runpy.run_path(str(TOOL))["main"](["occupancy-labels", "--labels", str(occupancy / "none"), *folders[2:]])


@pytest.fixture
def lanes(tmp_path: Path) -> tuple[str, str]:
    """Index, and predictions of its frames: the true lanes and elements, all in doubt, with no relation of lanes."""
    root = write_openlane(tmp_path / "openlane", images=True)
    build_indexes(root, "A")
    index, predictions = root / "openlane_v2_A_infos_train.pkl", {}
    for record in read_index(index)["data_list"]:
        found = annotation_of(record["lane_topology"])
        for instance in (*found["lane_centerline"], *found["traffic_element"]):
            instance["confidence"] = 0.5
        predictions[record["token"]] = {**found, "topology_lclc": np.zeros_like(found["topology_lclc"])}
    (root / "lanes.pkl").write_bytes(pickle.dumps(predictions, protocol=4))
    return str(index), str(root / "lanes.pkl")


def test_predicted_and_geometric_topology_side_by_side(
    lanes: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    main, out = runpy.run_path(str(TOOL))["main"], tmp_path / "scores.json"
    given = ["openlane_v2", "--index", lanes[0], "--results", lanes[1]]
    main([*given, "--geometric-topology", "--out", str(out)])
    scores = json.loads(out.read_text())
    assert list(scores) == ["predicted", "geometric 2 m"]
    predicted, geometric = scores.values()
    same = set(predicted) - {"OLS", "TOP_ll"}
    assert {name: predicted[name] for name in same} == {name: geometric[name] for name in same}
    assert predicted["DET_l"] == 1
    # Of three lanes, the first leads into the two others: edges are missing in a row and two columns of six.
    assert predicted["TOP_ll"] == pytest.approx(3 / 6)
    assert geometric["TOP_ll"] == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "5 frames, metric v1.1, in percent"
    assert printed[1].split("  ")[-1].strip() == "geometric 2 m"
    assert next(line for line in printed if line.startswith("TOP_ll")).split() == ["TOP_ll", "50.00", "100.00"]
    main([*given, "--geometric-topology", "0.5", "4", "--version", "v1.0", "--out", str(out)])
    assert list(json.loads(out.read_text())) == ["predicted", "geometric 0.5 m", "geometric 4 m"]
    main([*given, "--out", str(out)])
    assert list(json.loads(out.read_text())) == ["predicted"]


def test_lanes_that_cannot_be_evaluated(lanes: tuple[str, str], occupancy: Path) -> None:
    index, file = lanes
    main = runpy.run_path(str(TOOL))["main"]
    with pytest.raises(IndexFormatError, match=r"val\.pkl: not an index of OpenLane-V2's centrelines"):
        main(["openlane_v2", "--index", str(occupancy / "val.pkl"), "--predictions", file])
    content = read_index(Path(index))
    content["data_list"][1]["lane_topology"] = None
    write_index(Path(index).with_name("bare.pkl"), content["metainfo"], content["data_list"])
    with pytest.raises(IndexFormatError, match=r"1 frames have no annotation to judge by, such as train/00000/"):
        main(["openlane_v2", "--index", str(Path(index).with_name("bare.pkl")), "--predictions", file])
    del content["data_list"][1]["lane_topology"]
    write_index(Path(index).with_name("cut.pkl"), content["metainfo"], content["data_list"])
    with pytest.raises(IndexFormatError, match=r"cut\.pkl: not what belongs there \(KeyError: 'lane_topology'\)"):
        main(["openlane_v2", "--index", str(Path(index).with_name("cut.pkl")), "--predictions", file])
    predictions = pickle.loads(Path(file).read_bytes())
    first = content["data_list"][0]["token"]
    Path(file).write_bytes(pickle.dumps({**predictions, first: [predictions[first]]}))
    with pytest.raises(SubmissionError, match=r"frame train/00000/\d+: expected a dictionary, found \[\{"):
        main(["openlane_v2", "--index", index, "--predictions", file])
    del predictions[content["data_list"][2]["token"]]
    Path(file).write_bytes(pickle.dumps(predictions))
    with pytest.raises(SubmissionError, match=r"no prediction for 1 of 5 frames of .* such as train/00000/"):
        main(["openlane_v2", "--index", index, "--predictions", file])


def test_a_nuscenes_file(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root = write_tables(tmp_path / "data")
    build_nuscenes_indexes(root, "v1.0-mini")
    results = {}
    for entry, boxes, labels, _ in true_objects(root / "nuscenes_infos_mini_val.pkl"):
        global_T_lidar = entry["ego2global"] @ entry["lidar_points"]["lidar2ego"]
        results[entry["token"]] = format_boxes(boxes, np.ones(len(labels)), labels, global_T_lidar, entry["token"])
    write_submission(tmp_path / "results.json", results)
    out = tmp_path / "values.json"
    which = ["--root", str(root), "--version", "v1.0-mini", "--split", "mini_val", "--out", str(out)]
    runpy.run_path(str(TOOL))["main"](["nuscenes", "--results", str(tmp_path / "results.json"), *which])
    printed = capsys.readouterr().out
    values = json.loads(out.read_text())
    assert values["per_class"]["car"]["AP"] == pytest.approx(1.0)
    assert f"NDS {values['NDS']:.4f}  mAP {values['mAP']:.4f}" in printed
    assert "pedestrian            AP 1.000" in printed
