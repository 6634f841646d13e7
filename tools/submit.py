#!/usr/bin/env python3
"""Validates predictions and packs them for a challenge server.

tools/submit.py nuscenes --results work_dirs/.../results_nusc.json --root data/nuscenes --version v1.0-test \
    --split test --out work_dirs/submission
tools/submit.py openlane_v2 --results work_dirs/.../lanes.pkl --metadata team.yaml --out work_dirs/submission.pkl \
    --frames data/openlane_v2/data_dict_subset_A.json
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bev.engine.cli import add_results, at_least, run_main

LANE_METADATA = {
    "method": "method",
    "team": "team",
    "e-mail": "e-mail",
    "institution": "institution / company",
    "country": "country / region",
}
"""Names of options, and of the fields of an OpenLane-V2 submission."""


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Validate predictions and pack them for a challenge server.")
    datasets = parser.add_subparsers(dest="dataset", required=True, metavar="DATASET")
    nuscenes = datasets.add_parser("nuscenes", help="nuScenes detection")
    add_results(nuscenes, "FILE", "results_nusc.json, as tools/test.py writes it", required=True)
    nuscenes.add_argument("--root", required=True, help="data root; only two small tables are read, no annotations")
    nuscenes.add_argument("--version", required=True, help="v1.0-test, v1.0-trainval or another tables' folder")
    nuscenes.add_argument("--split", required=True, help="test, val, mini_val or a custom split")
    nuscenes.add_argument("--splits", metavar="FILE", help='custom splits: {"split": ["scene-0001", ...]} (JSON)')
    nuscenes.add_argument("--out", required=True, metavar="DIR", help="gets results_nusc.json and results_nusc.zip")
    for source in ("lidar", "radar", "map", "external"):
        nuscenes.add_argument(
            f"--use-{source}", action="store_true", help=f"declare that the method uses {source} data"
        )
    nuscenes.set_defaults(run=submit_nuscenes)
    occupancy = datasets.add_parser("occupancy", help="CVPR 2023 occupancy challenge (Occ3D-nuScenes)")
    add_results(occupancy, "DIR", "TOKEN.npz files, as tools/test.py writes", required=True)
    occupancy.add_argument("--index", required=True, metavar="FILE", help="index of the split's samples")
    occupancy.add_argument("--out", required=True, metavar="FILE", help="the zip file")
    occupancy.set_defaults(run=submit_occupancy)
    lanes = datasets.add_parser("openlane_v2", help="OpenLane-V2 lane topology: centrelines, or lane segments of 2024")
    add_results(lanes, "FILE", "pickle of predictions by token", required=True)
    lanes.add_argument("--out", required=True, metavar="FILE", help="the submission, a pickle")
    lanes.add_argument("--frames", metavar="FILE", help="data_dict_subset_*.json of the devkit, to check completeness")
    lanes.add_argument("--split", default="test", help="of --frames")
    lanes.add_argument("--dtype", choices=("float32", "float16"), default="float32", help="of lines and topology")
    lanes.add_argument("--metadata", metavar="FILE", help="YAML with the fields below, under the names in brackets")
    lanes.add_argument("--authors", nargs="+", metavar="NAME", help="at most ten [authors]")
    for option, key in LANE_METADATA.items():
        lanes.add_argument(f"--{option}", metavar="TEXT", help=f"[{key}]")
    lanes.set_defaults(run=submit_lanes)
    waymo = datasets.add_parser("waymo", help="Waymo camera-only 3D detection challenge")
    add_results(waymo, "FILE", "binary Objects messages", required=True, nargs="+")
    waymo.add_argument("--metadata", required=True, metavar="FILE", help="the method's description (YAML)")
    waymo.add_argument("--segments", metavar="FILE", help="names of the split's segments, one a line, to compare with")
    waymo.add_argument("--shards", type=at_least(1), default=4, help="messages in the archive")
    waymo.add_argument("--out", required=True, metavar="FILE", help="the .tar.gz file")
    waymo.set_defaults(run=submit_waymo)
    return parser.parse_args(arguments)


def submit_nuscenes(options: argparse.Namespace) -> None:
    """Validates, writes and packs a nuScenes submission, and prints one line."""
    from bev.datasets.nuscenes.index_tables import sample_tokens
    from bev.datasets.nuscenes.submission import (
        read_submission,
        validate_submission,
        write_submission,
        zip_submission,
    )

    tokens = sample_tokens(options.root, options.version, options.split, options.splits)
    submission = read_submission(options.results)
    boxes = validate_submission(submission, tokens, options.results)
    declared = {name: True for name in ("use_lidar", "use_radar", "use_map", "use_external") if getattr(options, name)}
    written, archive = Path(options.out) / "results_nusc.json", Path(options.out) / "results_nusc.zip"
    write_submission(written, submission["results"], {**submission["meta"], **declared})
    zip_submission(written, archive)
    megabytes = archive.stat().st_size / 1e6
    print(f"{archive}: valid for {options.split}: {len(tokens)} samples, {boxes} boxes, {megabytes:.1f} MB")


def submit_occupancy(options: argparse.Namespace) -> None:
    """Packs and validates an occupancy submission, and prints one line."""
    from bev.datasets.index_io import read_samples
    from bev.datasets.occ3d.submission import pack_submission, validate_archive

    tokens = [record["token"] for record in read_samples(options.index)["data_list"]]
    pack_submission(options.results, tokens, options.out)
    samples = validate_archive(options.out, tokens)
    print(f"{options.out}: valid, {samples} samples, {Path(options.out).stat().st_size / 1e6:.1f} MB")


def submit_lanes(options: argparse.Namespace) -> None:
    """Converts, validates and writes an OpenLane-V2 submission, and prints one line."""
    from bev.datasets.openlane_v2.submission import (
        build_submission,
        read_submission,
        split_identifiers,
        write_submission,
    )

    identifiers = split_identifiers(options.frames, options.split) if options.frames else None
    submission = build_submission(lane_metadata(options), read_submission(options.results), options.dtype)
    size = write_submission(options.out, submission, identifiers)
    against = f"all of {options.split}" if options.frames else "completeness not checked, give --frames for that"
    print(f"{options.out}: valid, {len(submission['results'])} frames ({against}), {size / 1e6:.1f} MB")


def lane_metadata(options: argparse.Namespace) -> dict:
    """Who made a submission: what the YAML file says, and the options over it."""
    from bev.datasets.submission_errors import SubmissionError
    from bev.datasets.text_files import read_yaml

    metadata = {}
    if options.metadata:
        metadata = read_yaml(options.metadata, "write 'field: value' in each line", SubmissionError)
        if not isinstance(metadata, dict):
            raise SubmissionError(f"{options.metadata}: expected fields and values, such as 'method: Name'")
    given = {key: getattr(options, option.replace("-", "_")) for option, key in LANE_METADATA.items()}
    given["authors"] = options.authors
    return {**metadata, **{key: value for key, value in given.items() if value is not None}}


def submit_waymo(options: argparse.Namespace) -> None:
    """Packs a Waymo submission, reads it back and prints one line."""
    from bev.datasets.text_files import read_text
    from bev.datasets.waymo.objects import read_objects
    from bev.datasets.waymo.submission import MIN_SCORE, read_metadata, validate_archive, write_submission

    metadata = read_metadata(options.metadata)
    segments = read_text(options.segments).split() if options.segments else None
    objects = (entry for path in options.results for entry in read_objects(path).objects)
    weak = write_submission(objects, metadata, options.out, options.shards, segments)
    packed = validate_archive(options.out, segments)
    megabytes = Path(options.out).stat().st_size / 1e6
    print(
        f"{options.out}: valid: {packed.objects} boxes in {packed.frames} frames, {packed.shards} shards, "
        f"{megabytes:.1f} MB" + (f"; {weak} boxes that score less than {MIN_SCORE} left out" if weak else "")
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the tool with these arguments, or the command line's."""
    options = parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    run_main(main)
