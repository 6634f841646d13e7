#!/usr/bin/env python3
"""Evaluates files of predictions in a data set's official format.

tools/evaluate.py waymo --predictions predictions.bin --ground-truth ground_truths.bin
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bev.datasets.atomic import atomic_write
from bev.engine.cli import run_main


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Evaluate files of predictions in a data set's official format.")
    datasets = parser.add_subparsers(dest="dataset", required=True, metavar="DATASET")
    waymo = datasets.add_parser("waymo", help="Waymo Open Dataset: LET-3D-AP of the camera-only challenge, or 3D AP")
    waymo.add_argument("--predictions", required=True, nargs="+", metavar="FILE", help="binary Objects messages")
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
    waymo.add_argument("--workers", type=int, default=1, help="processes")
    waymo.add_argument("--out", metavar="FILE", help="write all values here, as JSON")
    waymo.set_defaults(run=evaluate_waymo)
    return parser.parse_args(arguments)


def evaluate_waymo(options: argparse.Namespace) -> None:
    """Prints a line of metrics per breakdown, shard and level."""
    from bev.datasets.waymo.objects import FrameCodes, challenge_ground_truths, lidar_ground_truths, prediction_arrays
    from bev.evaluation.waymo_let import MetricConfig, detection_metrics

    official = {"let": MetricConfig.challenge, "3d": MetricConfig.plain}[options.metric]
    config = official(options.levels) if options.levels else official()
    if options.config:
        config = MetricConfig.from_text(Path(options.config).read_text(encoding="utf-8"))
    frames = FrameCodes()
    truths_of = challenge_ground_truths if options.metric == "let" else lidar_ground_truths
    predictions = _arrays(options.predictions, frames, prediction_arrays)
    truths = _arrays(options.ground_truth, frames, truths_of)
    summary = detection_metrics(predictions, truths, config, options.workers).summary()
    kinds = ("APL", "AP", "APH") if config.let else ("AP", "APH")
    prefix = "LET-3D-" if config.let else ""
    print(f"{len(frames)} frames, {len(predictions['box'])} predictions, {len(truths['box'])} ground truths")
    for name, values in summary.items():
        print(f"{name:44}" + "".join(f"  {prefix}{kind} {values[kind]:.4f}" for kind in kinds))
    if options.out:
        with atomic_write(options.out, "w") as file:
            json.dump(summary, file, indent=2)


def _arrays(paths: Sequence[str], frames: Any, arrays_of: Callable) -> dict[str, np.ndarray]:
    """Objects of all files, one after the other."""
    from bev.datasets.waymo.objects import read_objects

    parts = [arrays_of(read_objects(path).objects, frames, path) for path in paths]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the tool with these arguments, or the command line's."""
    options = parse_arguments(arguments)
    options.run(options)


if __name__ == "__main__":
    run_main(main)
