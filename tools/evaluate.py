#!/usr/bin/env python3
"""Evaluates files of predictions in a data set's official format.

tools/evaluate.py nuscenes --results results_nusc.json --root data/nuscenes --version v1.0-trainval --split val
tools/evaluate.py waymo --results predictions.bin --ground-truth ground_truths.bin
tools/evaluate.py occupancy --root data/nuscenes --index data/nuscenes/nuscenes_infos_val.pkl --results DIR
tools/evaluate.py occupancy --root ROOT --index VAL_INDEX --most-frequent TRAIN_INDEX
tools/evaluate.py occupancy-labels --labels generated/gts --truth data/synthetic/gts
tools/evaluate.py openlane_v2 --results lanes.pkl --index data/openlane_v2/openlane_v2_A_infos_val.pkl
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bev.datasets.text_files import write_json
from bev.engine.cli import add_results, at_least, positive, run_main


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Evaluate files of predictions in a data set's official format.")
    datasets = parser.add_subparsers(dest="dataset", required=True, metavar="DATASET")
    _add_nuscenes(datasets)
    _add_waymo(datasets)
    _add_occupancy(datasets)
    _add_lanes(datasets)
    return parser.parse_args(arguments)


def _add_nuscenes(datasets: argparse._SubParsersAction) -> None:
    nuscenes = datasets.add_parser("nuscenes", help="nuScenes detection: NDS and its parts, by the devkit")
    add_results(nuscenes, "FILE", "results_nusc.json of a test, or any other", required=True)
    nuscenes.add_argument("--root", required=True, help="data root; the tables with annotations are read")
    nuscenes.add_argument("--version", required=True, help="v1.0-trainval, v1.0-mini or another tables' folder")
    nuscenes.add_argument("--split", required=True, help="val, mini_val or a custom split")
    nuscenes.add_argument("--splits", metavar="FILE", help='custom splits: {"split": ["scene-0001", ...]} (JSON)')
    nuscenes.add_argument("--range", type=positive, metavar="METRES", help="cut each class's official range here")
    nuscenes.add_argument("--out", metavar="FILE", help="write all values here, as JSON")
    nuscenes.set_defaults(run=evaluate_nuscenes)


def _add_waymo(datasets: argparse._SubParsersAction) -> None:
    waymo = datasets.add_parser("waymo", help="Waymo Open Dataset: LET-3D-AP of the camera-only challenge, or 3D AP")
    add_results(waymo, "FILE", "binary Objects messages", required=True, nargs="+")
    waymo.add_argument("--ground-truth", required=True, nargs="+", metavar="FILE", help="binary Objects messages")
    waymo.add_argument(
        "--metric",
        choices=("let", "3d"),
        default="let",
        help="let: the camera-only challenge's; 3d: without tolerance, against LiDAR boxes",
    )
    what = waymo.add_mutually_exclusive_group()
    what.add_argument("--levels", type=int, nargs="+", choices=(1, 2), help="difficulty levels; the official ones")
    what.add_argument("--config", metavar="FILE", help="another metrics Config, in protobuf's text format")
    waymo.add_argument("--workers", type=at_least(1), default=1, help="processes")
    waymo.add_argument("--out", metavar="FILE", help="write all values here, as JSON")
    waymo.set_defaults(run=evaluate_waymo)


def _add_occupancy(datasets: argparse._SubParsersAction) -> None:
    occupancy = datasets.add_parser("occupancy", help="Occ3D-nuScenes: mIoU with each mask and RayIoU")
    occupancy.add_argument("--root", required=True, help="data root with Occ3D's labels under gts")
    occupancy.add_argument("--index", required=True, metavar="FILE", help="index of the samples to evaluate")
    source = occupancy.add_mutually_exclusive_group(required=True)
    add_results(source, "DIR", "TOKEN.npz files, as tools/test.py writes them")
    source.add_argument(
        "--most-frequent",
        metavar="FILE",
        help="predict each voxel's most frequent class among the samples of this index: a floor for any model",
    )
    occupancy.add_argument("--camera-only", action="store_true", help="let --most-frequent learn what cameras see")
    occupancy.add_argument("--out", metavar="FILE", help="write all values here, as JSON")
    occupancy.set_defaults(run=evaluate_occupancy)
    labels = datasets.add_parser("occupancy-labels", help="how far two sets of occupancy labels agree")
    labels.add_argument("--labels", required=True, metavar="DIR", help="a folder gts")
    labels.add_argument("--truth", required=True, metavar="DIR", help="another one; its masks count")
    labels.add_argument("--out", metavar="FILE", help="write all values here, as JSON")
    labels.set_defaults(run=compare_labels)


def _add_lanes(datasets: argparse._SubParsersAction) -> None:
    lanes = datasets.add_parser("openlane_v2", help="OpenLane-V2: OLS of centrelines and their topology")
    add_results(lanes, "FILE", "lanes.pkl of a test, or a submission", required=True)
    lanes.add_argument("--index", required=True, metavar="FILE", help="index with the annotations to judge by")
    lanes.add_argument("--version", choices=("v1.0", "v1.1"), default="v1.1", help="of the metric (%(default)s)")
    lanes.add_argument(
        "--geometric-topology",
        type=float,
        nargs="*",
        metavar="SCALE",
        help="beside it, score the same lanes linked by exp(-gap / SCALE) of their ends, in metres (2): a floor",
    )
    lanes.add_argument("--out", metavar="FILE", help="write all values here, as JSON")
    lanes.set_defaults(run=evaluate_lanes)


def evaluate_nuscenes(options: argparse.Namespace) -> None:
    """Prints the means, and a line per class."""
    from bev.datasets.nuscenes.index_tables import open_tables
    from bev.evaluation.nuscenes_nds import evaluate_results

    summary = evaluate_results(
        options.results,
        open_tables(options.root, options.version),
        options.split,
        splits_file=options.splits,
        class_range_cap=options.range,
    )
    print("  ".join(f"{name} {value:.4f}" for name, value in summary.items() if name != "per_class"))
    for name, row in summary["per_class"].items():
        numbers = (f"{key} {value:.3f}" for key, value in row.items() if key != "AP_dist" and np.isfinite(value))
        print(f"{name:22}" + "  ".join(numbers))
    _write(options.out, summary)


def evaluate_waymo(options: argparse.Namespace) -> None:
    """Prints a line of metrics per breakdown, shard and level."""
    from bev.datasets.waymo.objects import FrameCodes, ground_truth_arrays, prediction_arrays, read_objects
    from bev.evaluation.waymo_let import MetricConfig, detection_metrics

    config = MetricConfig.official(options.metric, options.levels)
    if options.config:
        config = MetricConfig.from_file(options.config)
    frames = FrameCodes()
    parts = [prediction_arrays(read_objects(path).objects, frames, path) for path in options.results]
    predictions = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    sources = [(path, read_objects(path).objects) for path in options.ground_truth]
    truths = ground_truth_arrays(sources, frames, options.metric)
    summary = detection_metrics(predictions, truths, config, options.workers).summary()
    kinds = ("APL", "AP", "APH") if config.let else ("AP", "APH")
    prefix = "LET-3D-" if config.let else ""
    print(f"{len(frames)} frames, {len(predictions['box'])} predictions, {len(truths['box'])} ground truths")
    _tell_one_sided_frames(predictions["frame"], truths["frame"])
    for name, values in summary.items():
        print(f"{name:44}" + "".join(f"  {prefix}{kind} {values[kind]:.4f}" for kind in kinds))
    _write(options.out, summary)


def _tell_one_sided_frames(found: np.ndarray, true: np.ndarray) -> None:
    """Says how many frames have objects on one side only; of another interval or split than the other's, say."""
    from bev.datasets.waymo.objects import ObjectsFileError

    found, true = np.unique(found), np.unique(true)
    if len(found) and len(true) and not np.intersect1d(found, true).size:
        raise ObjectsFileError("predictions and ground truths have no frame in common: they are of other segments")
    without = len(np.setdiff1d(true, found)), len(np.setdiff1d(found, true))
    if any(without):
        print(f"{without[0]} of them without a prediction, {without[1]} without a ground truth")


def evaluate_occupancy(options: argparse.Namespace) -> None:
    """Prints the IoU of every class and the means."""
    from tqdm import tqdm

    from bev.datasets.index_io import read_samples
    from bev.datasets.occ3d.labels import find_labels, read_labels
    from bev.datasets.occ3d.submission import read_prediction
    from bev.evaluation.occupancy_counts import OccupancyCounts, count_sample, most_frequent_labels
    from bev.evaluation.ray_iou import RAY_FIELDS, ray_origins

    def labels_of(index: str) -> tuple[list[dict], dict[str, Path]]:
        records = read_samples(index, *RAY_FIELDS)["data_list"]
        return records, find_labels(options.root, [record["token"] for record in records])

    records, files = labels_of(options.index)
    constant = None
    if options.most_frequent:
        _, seen = labels_of(options.most_frequent)
        learned = (read_labels(path) for path in tqdm(seen.values(), desc="most frequent classes"))
        constant = most_frequent_labels(learned, options.camera_only)
    origins, counts = ray_origins(records), OccupancyCounts()
    for token, path in tqdm(files.items(), desc="samples"):
        prediction = read_prediction(options.results, token) if constant is None else constant
        counts += count_sample(prediction, read_labels(path), origins[token])
    print(counts.table())
    summary = counts.summary()
    print("  ".join(f"{name} {100 * value:.2f}" for name, value in summary.items() if "/" not in name))
    _write(options.out, summary)


def compare_labels(options: argparse.Namespace) -> None:
    """Prints how far labels and masks of the samples of one folder agree with those of another."""
    from tqdm import tqdm

    from bev.datasets.occ3d.labels import FILE_NAME, OccupancyLabelError, read_labels
    from bev.evaluation.occupancy_counts import OccupancyCounts, count_sample

    paths = sorted(Path(options.labels).glob(f"*/*/{FILE_NAME}"))
    if not paths:
        raise OccupancyLabelError(f"{options.labels}: no labels (SCENE/TOKEN/{FILE_NAME}) in this folder")
    counts, agreement = OccupancyCounts(), []
    for path in tqdm(paths, desc="samples"):
        found, truth = read_labels(path), read_labels(Path(options.truth) / path.relative_to(options.labels))
        counts += count_sample(found.semantics, truth)
        masks = ((found.mask_camera, truth.mask_camera), (found.mask_lidar, truth.mask_lidar))
        agreement.append([np.mean(first == second) for first, second in masks])
    camera, lidar = np.mean(agreement, axis=0)
    print(counts.table())
    print(f"{counts.samples} samples; same camera mask: {100 * camera:.2f} %, same LiDAR mask: {100 * lidar:.2f} %")
    _write(options.out, {**counts.summary(), "camera_mask": float(camera), "lidar_mask": float(lidar)})


def evaluate_lanes(options: argparse.Namespace) -> None:
    """Prints a line per part of the OLS, with a column for the predicted topology and one per geometric one."""
    from bev.evaluation.openlane.files import read_frames
    from bev.evaluation.openlane.geometric import SCALE, with_geometric_topology
    from bev.evaluation.openlane_ols import evaluate

    truths, predictions = read_frames(options.index, options.results)
    columns = {"predicted": evaluate(truths, predictions, options.version)}
    scales = options.geometric_topology
    for scale in [] if scales is None else scales or [SCALE]:
        linked = {token: with_geometric_topology(found, token, scale) for token, found in predictions.items()}
        columns[f"geometric {scale:g} m"] = evaluate(truths, linked, options.version)
    print(f"{len(truths)} frames, metric {options.version}, in percent")
    print(f"{'topology':16}" + "".join(f"{name:>16}" for name in columns))
    for name in columns["predicted"]:
        if "/" not in name:
            print(f"{name:16}" + "".join(f"{100 * scores[name]:16.2f}" for scores in columns.values()))
    _write(options.out, columns)


def _write(path: str | None, values: dict) -> None:
    if path:
        write_json(path, values, indent=2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the tool with these arguments, or the command line's."""
    options = parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    run_main(main)
