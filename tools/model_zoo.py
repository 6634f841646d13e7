#!/usr/bin/env python3
"""Prints the table of docs/model_zoo.md: detectors' sizes, computed here, beside the accuracy their authors published.

tools/model_zoo.py > table.md
tools/model_zoo.py bevformer_plus_plus_r101_waymo
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bev.engine.cli import run_main

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
COLUMNS = (
    "config",
    "parameters (backbone), millions",
    "images",
    "frames",
    "multiply-adds, G",
    "of a live step, G",
    "published on val",
    "trained here",
)
NUSCENES, V1, V2 = "NDS / mAP", "2203.17270", "its repository"
# Metrics on the validation set, their values in percent, and where these are published.
PUBLISHED = {
    "bevformer_tiny": (NUSCENES, (35.4, 25.2), V1),
    "bevformer_small": (NUSCENES, (47.9, 37.0), V1),
    "bevformer_base": (NUSCENES, (51.7, 41.6), V1),
    "bevformerv2_r50_t1_base": (NUSCENES, (42.6, 35.1), V2),
    "bevformerv2_r50_t1": (NUSCENES, (45.3, 38.1), V2),
    "bevformerv2_r50_t2": (NUSCENES, (51.8, 42.0), V2),
    "bevformerv2_r50_t8": (NUSCENES, (55.3, 46.0), V2),
    # Of the plain model; with all improvements only another metric is published.
    "bevformer_plus_plus_r101_waymo": ("LET-3D-APL / APH", (34.6, 46.1), "2209.05324"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures configs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="CONFIG", help="names in configs/; all detectors without them")
    names = parser.parse_args(arguments).names
    import bev

    bev.register_all()
    from bev.engine.config import load_config, test_dataset
    from bev.engine.model_size import measure_size

    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for path in [CONFIGS / f"{name}.py" for name in names] or sorted(CONFIGS.glob("*.py")):
        config = load_config(path)
        # A model alone has no test resolution.
        if "test_dataloader" not in config or "detection" not in config.model.heads:
            continue
        size = measure_size(config)
        looks_ahead = max(test_dataset(config).frame_offsets) > 0
        live = "impossible" if looks_ahead else f"{size.live_multiply_adds / 1e9:.1f}"
        published = PUBLISHED.get(path.stem)
        accuracy = "none"
        if published is not None:
            metrics, values, source = published
            accuracy = f"{metrics} {' / '.join(map(str, values))} ({source})"
        trained = "on the synthetic world" if "nano" in path.stem else "no"
        print(
            f"| {path.stem} | {size.parameters / 1e6:.1f} ({size.backbone_parameters / 1e6:.1f}) "
            f"| {size.cameras} x {size.image_size[0]} x {size.image_size[1]} | {size.frames} "
            f"| {size.multiply_adds / 1e9:.1f} | {live} | {accuracy} | {trained} |",
            flush=True,
        )


if __name__ == "__main__":
    run_main(main)
