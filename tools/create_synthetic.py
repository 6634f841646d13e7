"""Generates the synthetic driving data set.

python tools/create_synthetic.py nuscenes --root data/synthetic --scenes 32 --val-scenes 8 --frames 20 --seed 0
python tools/create_synthetic.py waymo --root data/synthetic_waymo --scenes 32 --val-scenes 8 --frames 20 --seed 0
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bev.engine.cli import at_least, run_main, seed_number


def image_size(text: str) -> tuple[int, int]:
    """Reads a size such as 352x198."""
    width, separator, height = text.partition("x")
    if not (separator and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT such as 352x198, got {text!r}")
    return int(width), int(height)


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("format", choices=["nuscenes", "waymo"], help="format of the data set")
    parser.add_argument("--root", required=True, help="data root to write to")
    parser.add_argument("--version", default="v1.0-trainval", help="nuscenes: folder of tables")
    parser.add_argument("--scenes", type=int, default=32, help="training scenes")
    parser.add_argument("--val-scenes", type=int, default=8, help="held-out scenes, in addition")
    parser.add_argument("--frames", type=int, default=20, help="key frames per scene, 2 per second")
    parser.add_argument("--seed", type=seed_number, default=0)
    parser.add_argument(
        "--sweeps", type=at_least(0), default=0, help="nuscenes: LiDAR turns between two key frames; 9 there"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--size", type=image_size, default=(352, 198), help="nuscenes: WIDTHxHEIGHT of the pictures")
    parser.add_argument(
        "--width", type=at_least(1), default=352, help="waymo: width of the pictures; the real ones have 1920"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Generates what the command line asks for."""
    args = parse_args(arguments)
    from bev.datasets.parallel import INTERRUPTED
    from bev.datasets.synthetic import generate
    from bev.datasets.synthetic.export_waymo import generate_waymo

    counts = (args.root, args.scenes, args.val_scenes, args.frames, args.seed, args.workers)
    try:
        if args.format == "waymo":
            what, folder = "records", generate_waymo(*counts, width=args.width)
        else:
            what, folder = "tables", generate(*counts, args.size, args.version, sweeps=args.sweeps)
    except KeyboardInterrupt:
        print("stopped; finished scenes are kept, and the same command goes on", file=sys.stderr)
        return INTERRUPTED
    print(f"wrote {args.scenes} training and {args.val_scenes} held-out scenes; {what}: {folder}")
    return 0


if __name__ == "__main__":
    run_main(main)
