"""Draw samples: cameras with 3D boxes beside bird's-eye view, as PNG and MP4.

`python tools/visualize.py nuscenes --root ROOT --index ROOT/nuscenes_infos_val.pkl --results results_nusc.json`
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

import bev
from bev.engine.cli import run_main


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=("nuscenes",))
    parser.add_argument("--root", required=True, help="data root")
    parser.add_argument("--index", required=True, help="index file with the samples")
    parser.add_argument("--results", help="submission with predictions; ground truth alone without it")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/figures"), help="folder of the pictures")
    parser.add_argument("--count", type=int, default=6, help="pictures, spread evenly over the index")
    parser.add_argument("--tokens", nargs="*", help="draw these samples instead")
    parser.add_argument("--score", type=float, default=0.25, help="draw predictions that score at least this")
    parser.add_argument("--extent", type=float, default=40.0, help="metres shown in each direction")
    parser.add_argument("--camera-width", type=int, default=480, help="width of a camera image in pixels")
    parser.add_argument("--video", type=Path, help="also write the samples of the first scenes as an MP4")
    parser.add_argument("--video-frames", type=int, default=40, help="frames of the video")
    parser.add_argument("--fps", type=float, default=4.0, help="frames per second of the video; key frames are 2 Hz")
    parser.add_argument("--scalars", type=Path, help="work dir of a training whose curves to draw")
    return parser.parse_args()


def main() -> None:
    """Draw what the arguments ask for."""
    args = parse_args()
    bev.register_all()
    from bev.visualization import draw_training_curves, write_mp4
    from bev.visualization.nuscenes import NuScenesPainter

    painter = NuScenesPainter(args.index, args.root, args.results, args.score, args.extent)
    tokens = {painter.token_of(number): number for number in range(len(painter))}
    numbers = [tokens[token] for token in args.tokens] if args.tokens else spread(len(painter), args.count)
    args.out.mkdir(parents=True, exist_ok=True)
    for number in tqdm(numbers, desc="figures"):
        picture = painter.draw(number, args.camera_width)
        path = args.out / f"{painter.token_of(number)}.png"
        cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if args.scalars:
        scalars = sorted(args.scalars.glob("*/vis_data/scalars.json"))
        if scalars:
            draw_training_curves(scalars[-1], args.out / "training.png")
    if args.video:
        frames = range(min(args.video_frames, len(painter)))
        write_mp4(args.video, tqdm(painter.frames(frames), total=len(frames), desc="video"), args.fps)


def spread(total: int, count: int) -> list[int]:
    """`count` numbers, evenly spread over 0 .. total - 1."""
    return sorted(set(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()))


if __name__ == "__main__":
    run_main(main)
