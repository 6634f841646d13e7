#!/usr/bin/env python3
"""Prints the table of docs/model_zoo.md: every config's size, computed here, beside the accuracy its authors published.

tools/model_zoo.py > table.md
tools/model_zoo.py bevformer_plus_plus_r101_waymo 'openlane_*'
"""

from __future__ import annotations

import argparse
import sys
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
    "published, val",
    "trained here",
)
V1, V2, OWN = "2203.17270", "its repository", "InternImage's repository"
# What was published and where. Boxes: nuScenes NDS / mAP. Occupancy: Occ3D-nuScenes mIoU in the camera mask. Lanes: OLS
# of subset A, version 1.0 of the metric.
PUBLISHED = {
    "bevformer_tiny": f"35.4 / 25.2 ({V1})",
    "bevformer_small": f"47.9 / 37.0 ({V1})",
    "bevformer_base": f"51.7 / 41.6 ({V1})",
    "bevformerv2_r50_t1_base": f"42.6 / 35.1 ({V2})",
    "bevformerv2_r50_t1": f"45.3 / 38.1 ({V2})",
    "bevformerv2_r50_t2": f"51.8 / 42.0 ({V2})",
    "bevformerv2_r50_t8": f"55.3 / 46.0 ({V2})",
    "bevformer_plus_plus_r101_waymo": "LET-3D-APL 34.6 without the improvements (2209.05324)",
    "occupancy_bevformer_base": f"mIoU 23.67 ({OWN})",
    "occupancy_bevformer_internimage_s": f"mIoU 25.11 ({OWN})",
    "openlane_r50": f"OLS .292 ({OWN})",
    "openlane_internimage_s": f"OLS .325 ({OWN})",
}


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["*"], help="patterns of the configs' names; all without them")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the configs that the arguments name."""
    import bev

    names = parse_arguments(arguments).names
    bev.register_all()
    from bev.engine.config import load_config
    from bev.engine.data_config import evaluated_dataset
    from bev.engine.model_size import measure_size

    paths = {name: list(CONFIGS.glob(f"{name}.py")) for name in names}
    for name, found in paths.items():
        if not found:
            sys.exit(f"error: no config {name} in {CONFIGS}")
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for path in sorted({path for found in paths.values() for path in found}):
        config = load_config(path)
        if "test_dataloader" not in config:  # a model alone has no test resolution
            continue
        size = measure_size(config)
        looks_ahead = max(evaluated_dataset(config).get("frame_offsets", (0,))) > 0
        live = "impossible" if looks_ahead else f"{size.live_multiply_adds / 1e9:.1f}"
        published = PUBLISHED.get(path.stem, "none")
        trained = "on the synthetic world" if "nano" in path.stem else "no"
        print(
            f"| {path.stem} | {size.parameters / 1e6:.1f} ({size.backbone_parameters / 1e6:.1f}) "
            f"| {size.cameras} x {size.image_size[0]} x {size.image_size[1]} "
            f"| {size.frames} | {size.multiply_adds / 1e9:.1f} | {live} | {published} | {trained} |",
            flush=True,
        )


if __name__ == "__main__":
    run_main(main)
