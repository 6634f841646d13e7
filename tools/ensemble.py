#!/usr/bin/env python3
"""Merges the predictions of several models, class by class: weighted box fusion, or suppression by IoU on the ground.

tools/ensemble.py nuscenes --results a/results_nusc.json b/results_nusc.json --weights 2 1 --out c/results_nusc.json
tools/ensemble.py waymo --results a/predictions.bin b/predictions.bin --iou 0.3 --class-iou pedestrian=0.2 \
    --out c/predictions.bin
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bev.engine.cli import finite, run_main

if TYPE_CHECKING:
    from bev.inference.ensemble import EnsembleOptions


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--results", required=True, nargs="+", metavar="FILE", help="predictions, one file per model")
    shared.add_argument("--weights", nargs="+", type=finite, metavar="W", help="of the models; equal without it")
    shared.add_argument("--method", choices=("wbf", "nms"), default="wbf", help="average boxes, or take the strongest")
    shared.add_argument("--iou", type=finite, default=0.3, help="boxes that overlap more are one object")
    shared.add_argument(
        "--class-iou", nargs="+", type=_class_value, default=[], metavar="CLASS=IOU", help="other values for classes"
    )
    shared.add_argument("--min-score", type=finite, default=0.0, help="leave out boxes that score less before")
    shared.add_argument("--out", required=True, metavar="FILE", help="the merged predictions")
    datasets = parser.add_subparsers(dest="dataset", required=True, metavar="DATASET")
    nuscenes = datasets.add_parser("nuscenes", parents=[shared], help="results_nusc.json files")
    nuscenes.set_defaults(run=merge_nuscenes)
    waymo = datasets.add_parser("waymo", parents=[shared], help="binary Objects messages")
    waymo.set_defaults(run=merge_waymo)
    return parser.parse_args(arguments)


def merge_nuscenes(options: argparse.Namespace) -> None:
    """Merges, writes and prints one line."""
    from bev.datasets.nuscenes.submission import read_submission, write_submission
    from bev.inference.ensemble import ensemble_nuscenes

    submissions = [read_submission(path) for path in options.results]
    merged = ensemble_nuscenes(submissions, _options(options), options.results)
    write_submission(options.out, merged["results"], merged["meta"])
    boxes = sum(map(len, merged["results"].values()))
    print(f"{options.out}: {len(options.results)} models, {len(merged['results'])} samples, {boxes} boxes")


def merge_waymo(options: argparse.Namespace) -> None:
    """Merges, writes and prints one line."""
    from bev.datasets.atomic import atomic_write
    from bev.datasets.waymo.objects import read_objects
    from bev.inference.ensemble import ensemble_waymo

    merged = ensemble_waymo([read_objects(path) for path in options.results], _options(options), options.results)
    with atomic_write(options.out) as file:
        file.write(merged.SerializeToString(deterministic=True))
    frames = {(entry.context_name, entry.frame_timestamp_micros) for entry in merged.objects}
    print(f"{options.out}: {len(options.results)} models, {len(frames)} frames, {len(merged.objects)} boxes")


def _options(options: argparse.Namespace) -> EnsembleOptions:
    from bev.inference.ensemble import EnsembleOptions

    return EnsembleOptions(
        options.weights, options.method, options.iou, dict(options.class_iou), min_score=options.min_score
    )


def _class_value(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected CLASS=IOU, such as pedestrian=0.2, not {text!r}") from None


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the tool with these arguments, or the command line's."""
    options = parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    run_main(main)
