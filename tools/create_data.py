#!/usr/bin/env python3
"""Builds what training needs from a data set's own files: indexes and occupancy labels.

tools/create_data.py nuscenes --root data/nuscenes --version v1.0-trainval
tools/create_data.py occupancy --root data/nuscenes --version v1.0-trainval --workers 16
tools/create_data.py synthetic-occupancy --root data/synthetic
tools/create_data.py synthetic-lanes --root data/synthetic
tools/create_data.py openlane_v2 --root data/openlane_v2 --subset A
tools/create_data.py waymo --root data/waymo --workers 16
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterable, Sequence

from tqdm import tqdm

from bev.engine.cli import at_least, positive, run_main


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Build index files from a data set's own tables. Resumable.")
    datasets = parser.add_subparsers(dest="dataset", required=True, metavar="DATASET")
    _add_nuscenes(datasets)
    _add_occupancy(datasets)
    _add_lanes(datasets)
    _add_waymo(datasets)
    return parser.parse_args(arguments)


def _add_nuscenes(datasets: argparse._SubParsersAction) -> None:
    nuscenes = datasets.add_parser("nuscenes", help="nuScenes, or any data in its format")
    nuscenes.add_argument("--root", required=True, help="folder that holds samples/, maps/ and the tables' folder")
    nuscenes.add_argument(
        "--version", required=True, help="v1.0-trainval, v1.0-test, v1.0-mini or another tables' folder"
    )
    nuscenes.add_argument("--splits", metavar="FILE", help='custom splits: {"split": ["scene-0001", ...]} (JSON)')
    _add_workers(nuscenes)
    nuscenes.add_argument("--out", metavar="DIR", help="where the index files go (default: ROOT)")
    nuscenes.set_defaults(run=create_nuscenes)


def _add_occupancy(datasets: argparse._SubParsersAction) -> None:
    generated = datasets.add_parser("occupancy", help="occupancy labels and visibility masks from LiDAR")
    generated.add_argument("--root", required=True, help="data root of a nuScenes-style data set with LiDAR files")
    generated.add_argument("--version", default="v1.0-trainval", help="folder of the tables (default: %(default)s)")
    generated.add_argument("--out", metavar="DIR", help="folder that gets the folder gts (default: ROOT)")
    generated.add_argument("--shard", metavar="I/N", help="only this part of the scenes; torchrun's ranks set it, too")
    generated.add_argument(
        "--sweep-stride",
        type=at_least(0),
        default=1,
        help="use every n-th sweep between key frames, 0 for none (default: 1)",
    )
    _add_workers(generated)
    generated.set_defaults(run=create_occupancy)
    occupancy = datasets.add_parser("synthetic-occupancy", help="true occupancy labels of a generated data set")
    occupancy.add_argument("--root", required=True, help="data root of the synthetic world")
    occupancy.add_argument("--version", default="v1.0-trainval", help="its tables' folder (default: %(default)s)")
    _add_workers(occupancy)
    occupancy.set_defaults(run=create_synthetic_occupancy)


def _add_lanes(datasets: argparse._SubParsersAction) -> None:
    made = datasets.add_parser("synthetic-lanes", help="lane topology of a generated data set, and its indexes")
    made.add_argument("--root", required=True, help="data root of the synthetic world")
    made.add_argument("--version", default="v1.0-trainval", help="its tables' folder (default: %(default)s)")
    made.add_argument(
        "--reach",
        type=positive,
        nargs=2,
        default=(50.0, 25.0),
        metavar=("X", "Y"),
        help="metres ahead and aside up to which lanes are annotated (default: 50 25, as OpenLane-V2)",
    )
    _add_workers(made)
    made.set_defaults(
        run=create_synthetic_lanes, subset="B", format="centerline", pickles=False, allow_missing=False, out=None
    )
    lanes = datasets.add_parser("openlane_v2", help="OpenLane-V2: lanes, traffic elements and their topology")
    lanes.add_argument("--root", required=True, help="folder that holds data_dict_subset_*.json, train/, val/, test/")
    lanes.add_argument("--subset", required=True, choices=("A", "B"), help="A: Argoverse 2, B: nuScenes")
    lanes.add_argument(
        "--format",
        choices=("centerline", "segment"),
        default="centerline",
        help="annotations of 2023 or of 2024 (default: %(default)s)",
    )
    lanes.add_argument("--pickles", action="store_true", help="read the devkit's collections instead of JSON files")
    lanes.add_argument("--allow-missing", action="store_true", help="leave out images that are not there")
    _add_workers(lanes)
    lanes.add_argument("--out", metavar="DIR", help="where the index files go (default: ROOT)")
    lanes.set_defaults(run=create_lanes)


def _add_waymo(datasets: argparse._SubParsersAction) -> None:
    waymo = datasets.add_parser("waymo", help="Waymo Open Dataset, read in place: no image is copied")
    waymo.add_argument("--root", required=True, help="folder with training/, validation/ ..., or a URL such as gs://...")
    waymo.add_argument(
        "--format", choices=("tfrecord", "parquet"), help="version 1 or 2 of the data set (default: what is in ROOT)"
    )
    waymo.add_argument("--splits", nargs="+", metavar="FOLDER", help="folders to index (default: all)")
    waymo.add_argument("--skip-damaged", action="store_true", help="warn of damaged records and leave them out")
    _add_workers(waymo)
    waymo.add_argument("--out", metavar="DIR", help="where the index files go (default: ROOT)")
    waymo.set_defaults(run=create_waymo)


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=at_least(1), default=min(8, os.cpu_count() or 1), help="processes (default: %(default)s)"
    )


def create_nuscenes(options: argparse.Namespace) -> None:
    """Builds the nuScenes indexes and prints one line for each."""
    from bev.datasets.nuscenes.index_build import build_indexes

    def progress(items: Iterable, total: int) -> Iterable:
        return tqdm(items, total=total, desc="scenes", unit="scene")

    summaries = build_indexes(
        options.root, options.version, options.out, options.splits, workers=options.workers, progress=progress
    )
    for summary in summaries:
        lidar = f", {summary.lidar_files_missing} without LiDAR file" if summary.lidar_files_missing else ""
        print(f"{summary.path}: {summary.scenes} scenes, {summary.samples} samples, {summary.boxes} boxes{lidar}")


def create_occupancy(options: argparse.Namespace) -> None:
    """Writes labels made from LiDAR and prints one line."""
    from tqdm import tqdm

    from bev.datasets.occ3d.generation import Shard, generate_labels

    samples, written = generate_labels(
        options.root,
        options.version,
        options.out,
        shard=Shard.parse(options.shard) if options.shard else Shard.of_environment(),
        workers=options.workers,
        sweep_stride=options.sweep_stride,
        progress=lambda scenes, total: tqdm(scenes, total=total, unit="scene", desc="occupancy"),
    )
    print(f"{options.out or options.root}/gts: labels of {samples} samples, {written} of them new")


def create_synthetic_occupancy(options: argparse.Namespace) -> None:
    """Writes the true labels of the synthetic world and prints one line."""
    from bev.datasets.synthetic.occupancy import export_occupancy

    samples = export_occupancy(options.root, options.version, options.workers)
    print(f"{options.root}/gts: labels of {samples} samples")


def create_synthetic_lanes(options: argparse.Namespace) -> None:
    """Writes annotations of the synthetic world in OpenLane-V2's format, and their indexes."""
    from bev.datasets.synthetic.export_openlane import export_openlane

    frames = export_openlane(options.root, options.version, options.workers, reach=tuple(options.reach))
    print(f"{options.root}: annotations of {frames} frames")
    create_lanes(options)


def create_lanes(options: argparse.Namespace) -> None:
    """Builds the OpenLane-V2 indexes and prints one line for each."""
    from bev.datasets.openlane_v2.index_build import build_indexes

    summaries = build_indexes(
        options.root,
        options.subset,
        options.out,
        layout=options.format,
        pickles=options.pickles,
        allow_missing=options.allow_missing,
        workers=options.workers,
        progress=lambda segments, total: tqdm(segments, total=total, desc="segments", unit="segment"),
    )
    for summary in summaries:
        missing = f", {summary.images_missing} images missing" if summary.images_missing else ""
        print(
            f"{summary.path}: {summary.segments} segments, {summary.frames} frames, {summary.lanes} lanes, "
            f"{summary.traffic_elements} traffic elements{missing}"
        )


def create_waymo(options: argparse.Namespace) -> None:
    """Builds the Waymo indexes and prints one line for each."""
    from bev.datasets.waymo.index_build import build_indexes

    # What is skipped is told in one line each, without the place in the code.
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    summaries = build_indexes(
        options.root,
        options.out,
        options.splits,
        options.workers,
        options.skip_damaged,
        options.format,
        progress=lambda items, total: tqdm(items, total=total, desc="segments", unit="segment"),
    )
    for summary in summaries:
        counts = f"{summary.segments} segments, {summary.frames} frames, {summary.objects} objects"
        print(f"{summary.path}: {counts}, {summary.size / 1e6:.2f} MB")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the tool with these arguments, or the command line's."""
    options = parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    run_main(main)
