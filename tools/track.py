#!/usr/bin/env python3
"""Gives the detections of a nuScenes results file stable identities, writes the tracking submission and evaluates it.

tools/track.py nuscenes --results work_dirs/.../results_nusc.json --root data/nuscenes --version v1.0-trainval \
    --out work_dirs/.../tracking_nusc.json --evaluate
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bev.engine.cli import finite, positive, run_main

SHOWN = ("amota", "amotp", "recall", "mota", "motp", "ids", "frag")


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=("nuscenes",))
    parser.add_argument("--results", required=True, help="results_nusc.json of tools/test.py")
    parser.add_argument("--root", required=True, help="data root")
    parser.add_argument("--version", required=True, help="v1.0-trainval or another tables' folder")
    parser.add_argument("--out", type=Path, required=True, help="tracking submission to write (JSON)")
    parser.add_argument("--min-score", type=finite, default=0.1, help="leave out detections below it")
    parser.add_argument("--max-age", type=positive, default=1.6, help="seconds that a track lives without a match")
    parser.add_argument("--evaluate", action="store_true", help="print AMOTA and its kin")
    parser.add_argument("--range", type=positive, help="cut the official ranges at this many metres")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the tool with these arguments, or the command line's."""
    options = parse_args(arguments)
    from bev.datasets.nuscenes.index_tables import open_tables
    from bev.datasets.nuscenes.submission import read_submission, validate_submission, write_submission
    from bev.datasets.text_files import write_json
    from bev.inference import GreedyTracker
    from bev.inference.nuscenes_tracks import track_results

    submission = read_submission(options.results)
    validate_submission(submission, submission["results"], options.results)
    nusc = open_tables(options.root, options.version)
    tracked = track_results(
        submission["results"], nusc, lambda: GreedyTracker(max_age=options.max_age, min_score=options.min_score)
    )
    write_submission(options.out, tracked, submission["meta"])
    boxes = sum(map(len, tracked.values()))
    identities = len({record["tracking_id"] for records in tracked.values() for record in records})
    print(f"{options.out}: {len(tracked)} samples, {boxes} boxes, {identities} tracks")
    if options.evaluate:
        from bev.evaluation.nuscenes_tracking import evaluate_tracking

        summary = evaluate_tracking(options.out, nusc, list(tracked), options.range)
        path = options.out.with_name(f"{options.out.stem}_metrics.json")
        write_json(path, summary, indent=1)
        print("  ".join(f"{name} {summary[name]:.3f}" for name in SHOWN))


if __name__ == "__main__":
    run_main(main)
