#!/usr/bin/env python3
"""Takes official checkpoints to our names and conventions, or ours back to the official ones.

tools/convert_checkpoint.py bevformerv2 bevformerv2-r50-t2.pth work_dirs/bevformerv2_r50_t2.pth
tools/convert_checkpoint.py bevformerv2 work_dirs/train/final.pth official.pth --export
tools/convert_checkpoint.py internimage dino_4scale_internimage_l_1x_coco.pth work_dirs/dino_internimage_l.pth
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bev.datasets.text_files import write_json
from bev.engine.cli import run_main


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "family",
        choices=("bevformer", "bevformerv2", "occupancy", "openlane", "internimage"),
        help="BEVFormer v1 or v2, its pretraining, the occupancy or lane baseline, or an image model with InternImage",
    )
    parser.add_argument("checkpoint", type=Path, help="file to convert")
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("--export", action="store_true", help="convert ours to the official names")
    parser.add_argument(
        "--current-boxes",
        action="store_true",
        help="the official side uses the boxes of mmdet3d >= 1.0; published checkpoints don't",
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what became of every key here (JSON)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the tool with these arguments, or the command line's."""
    options = parse_args(arguments)
    import torch

    from bev.datasets.atomic import atomic_write
    from bev.engine.checkpoint import convert_official, export_official, read_weights

    weights = read_weights(options.checkpoint)
    legacy = not options.current_boxes
    if options.export:
        converted = export_official(weights, options.family, legacy)
        print(f"{len(converted)} keys exported")
    else:
        converted, report = convert_official(weights, options.family, legacy)
        print(report)
        if options.report:
            write_json(options.report, vars(report), indent=1)
    with atomic_write(options.out) as file:
        torch.save({"state_dict": converted}, file)
    print(f"{options.out}: {len(converted)} tensors")


if __name__ == "__main__":
    run_main(main)
