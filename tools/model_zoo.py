#!/usr/bin/env python3
"""Prints the table of docs/model_zoo.md: every config's size, computed here, beside the accuracy its authors published.

tools/model_zoo.py > table.md
"""

from __future__ import annotations

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
    "published val NDS / mAP",
    "trained here",
)
V1, V2 = "2203.17270", "its repository"
# nuScenes val NDS, mAP and where they are published; None where nothing is.
PUBLISHED: dict[str, tuple[float, float, str]] = {
    "bevformer_tiny": (35.4, 25.2, V1),
    "bevformer_small": (47.9, 37.0, V1),
    "bevformer_base": (51.7, 41.6, V1),
    "bevformerv2_r50_t1_base": (42.6, 35.1, V2),
    "bevformerv2_r50_t1": (45.3, 38.1, V2),
    "bevformerv2_r50_t2": (51.8, 42.0, V2),
    "bevformerv2_r50_t8": (55.3, 46.0, V2),
}


def main() -> None:
    """Measures all configs."""
    import bev

    bev.register_all()
    from bev.engine.config import load_config
    from bev.engine.model_size import measure_size

    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for path in sorted(CONFIGS.glob("*.py")):
        config = load_config(path)
        if "test_dataloader" not in config:  # a model alone has no test resolution
            continue
        size = measure_size(config)
        looks_ahead = max(config.test_dataloader.dataset.frame_offsets) > 0
        live = "impossible" if looks_ahead else f"{size.live_multiply_adds / 1e9:.1f}"
        published = PUBLISHED.get(path.stem)
        accuracy = "none" if published is None else f"{published[0]} / {published[1]} ({published[2]})"
        trained = "on the synthetic world" if "nano" in path.stem else "no"
        print(
            f"| {path.stem} | {size.parameters / 1e6:.1f} ({size.backbone_parameters / 1e6:.1f}) "
            f"| 6 x {size.image_size[0]} x {size.image_size[1]} | {size.frames} | {size.multiply_adds / 1e9:.1f} "
            f"| {live} | {accuracy} | {trained} |",
            flush=True,
        )


if __name__ == "__main__":
    run_main(main)
