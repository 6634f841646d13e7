"""Draw samples beside their cameras, as PNG and MP4: 3D boxes, occupancy, or lane topology.

`python tools/visualize.py nuscenes --root ROOT --index ROOT/nuscenes_infos_val.pkl --results results_nusc.json`
`python tools/visualize.py waymo --root ROOT --index ROOT/waymo_infos_validation.pkl --results predictions.bin`
`python tools/visualize.py occupancy --root ROOT --index ROOT/nuscenes_infos_val.pkl --results DIR --video val.mp4`
`python tools/visualize.py openlane_v2 --root ROOT --index ROOT/openlane_v2_A_infos_val.pkl --results lanes.pkl`
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from tqdm import tqdm

import bev
from bev.datasets.atomic import atomic_write
from bev.engine.cli import NARROWEST, at_least, finite, positive, run_main
from bev.errors import InputError

if TYPE_CHECKING:
    from bev.visualization.painter import SamplePainter

BOX_VIDEO_CAMERA_WIDTH = 400
"""Widest camera image in a video of boxes, pixels: mosaic and bird's-eye view then fit a screen."""


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = shared_arguments()
    drawn = parser.add_subparsers(dest="drawn", required=True, metavar="{nuscenes,waymo,occupancy,openlane_v2}")

    boxed = argparse.ArgumentParser(add_help=False, parents=[shared])
    boxed.add_argument("--score", type=finite, default=0.25, help="draw predictions that score at least this")
    boxed.add_argument("--extent", type=positive, default=40.0, help="metres shown in each direction")
    boxed.add_argument("--camera-width", type=at_least(NARROWEST), default=480, help="width of a camera image, pixels")

    boxes = drawn.add_parser("nuscenes", parents=[boxed], help="3D boxes on the cameras and in bird's-eye view")
    boxes.add_argument("--results", help="submission with predictions; ground truth alone without it")
    boxes.add_argument("--scalars", type=Path, help="work dir of a training whose curves to draw")
    boxes.set_defaults(run=draw_boxes)

    waymo = drawn.add_parser("waymo", parents=[boxed], help="the same of Waymo's five cameras")
    waymo.add_argument("--results", help="predictions, a binary Objects message; ground truth alone without it")
    waymo.add_argument("--lidar-boxes", action="store_true", help="as ground truth, all boxes where the LiDAR saw them")
    waymo.set_defaults(run=draw_waymo)

    voxels = drawn.add_parser("occupancy", parents=[shared], help="voxels as the driver and as a bird sees them")
    voxels.add_argument("--results", metavar="DIR", help="folder of TOKEN.npz files; ground truth alone without it")
    voxels.add_argument("--no-truth", action="store_true", help="draw predictions alone; needs no ROOT/gts")
    voxels.add_argument("--mask", choices=("camera", "lidar"), help="draw voxels of this mask of the labels only")
    voxels.add_argument("--width", type=at_least(NARROWEST), default=1920, help="width of the picture in pixels")
    voxels.add_argument("--threads", type=at_least(1), help="threads; the processor's cores without it")
    voxels.set_defaults(run=draw_occupancy)

    lanes = drawn.add_parser("openlane_v2", parents=[shared], help="lanes from above, traffic elements and relations")
    lanes.add_argument("--results", help="predictions of OpenLaneMetric, or a submission; truth alone without it")
    lanes.add_argument("--score", type=finite, default=0.3, help="draw lanes and elements that score at least this")
    lanes.add_argument("--relation", type=finite, default=0.5, help="draw relations that are at least this probable")
    lanes.add_argument("--width", type=at_least(NARROWEST), default=1600, help="width of the picture in pixels")
    lanes.set_defaults(run=draw_lanes)
    return parser.parse_args(arguments)


def shared_arguments() -> argparse.ArgumentParser:
    """What all kinds of pictures take."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--root", required=True, help="data root")
    shared.add_argument("--index", required=True, help="index file with the samples")
    shared.add_argument("--out", type=Path, default=Path("work_dirs/figures"), help="folder of the pictures")
    shared.add_argument("--count", type=at_least(0), default=6, help="pictures, spread evenly over the index")
    shared.add_argument("--tokens", nargs="*", help="draw these samples instead")
    shared.add_argument(
        "--skip-missing", action="store_true", help="leave out samples without all of their images, and count them"
    )
    shared.add_argument("--video", type=Path, help="also write the samples of the first scenes as an MP4")
    shared.add_argument("--video-frames", type=at_least(1), default=40, help="frames of the video")
    shared.add_argument("--fps", type=positive, default=4.0, help="frames per second of the video; key frames are 2 Hz")
    return shared


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw what the arguments ask for."""
    args = parse_args(arguments)
    bev.register_all()
    args.run(args)


def draw_boxes(args: argparse.Namespace) -> None:
    """Draw boxes and, if asked for, training curves."""
    from bev.visualization.curves import draw_training_curves, find_scalars
    from bev.visualization.nuscenes import NuScenesPainter

    scalars = find_scalars(args.scalars) if args.scalars else None
    painter = NuScenesPainter(args.index, args.root, args.results, args.score, args.extent)
    if scalars:  # ahead of the video, whose file says that all is drawn
        draw_training_curves(scalars, args.out / "training.png")
    draw_samples(args, painter, args.camera_width, min(args.camera_width, BOX_VIDEO_CAMERA_WIDTH))


def draw_waymo(args: argparse.Namespace) -> None:
    """Draw boxes of Waymo frames."""
    from bev.visualization.waymo import WaymoPainter

    painter = WaymoPainter(args.index, args.root, args.results, args.score, args.extent, args.lidar_boxes)
    draw_samples(args, painter, args.camera_width, min(args.camera_width, BOX_VIDEO_CAMERA_WIDTH))


def draw_occupancy(args: argparse.Namespace) -> None:
    """Draw voxels."""
    from bev.visualization.occupancy import OccupancyPainter

    if args.no_truth and (not args.results or args.mask):
        raise InputError("--no-truth leaves nothing to draw without --results, and has no --mask")
    painter = OccupancyPainter(args.index, args.root, args.results, not args.no_truth, args.mask, args.threads)
    draw_samples(args, painter, args.width, args.width)


def draw_lanes(args: argparse.Namespace) -> None:
    """Draw lane topology."""
    from bev.visualization.openlane import OpenLanePainter

    painter = OpenLanePainter(args.index, args.root, args.results, args.score, args.relation)
    draw_samples(args, painter, args.width, args.width)


def draw_samples(args: argparse.Namespace, painter: SamplePainter, width: int, video_width: int) -> None:
    """Write a PNG for each of the chosen samples and, if asked for, a video of the first ones."""
    from bev.visualization import write_mp4

    usable = usable_samples(args, painter)
    for token, picture in pictures_of(args, painter, chosen_samples(args, painter, usable), width, "figures"):
        with atomic_write(args.out / f"{token.replace('/', '_')}.png") as file:
            file.write(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())
    if args.video:
        pictures = pictures_of(args, painter, usable[: args.video_frames], video_width, "video")
        write_mp4(args.video, (picture for _, picture in pictures), args.fps)


def pictures_of(
    args: argparse.Namespace, painter: SamplePainter, numbers: Sequence[int], width: int, what: str
) -> Iterator[tuple[str, np.ndarray]]:
    """Tokens and pictures of samples; with `--skip-missing`, of those whose images can be read."""
    from bev.datasets.image_files import ImageReadError

    damaged = 0
    for number in tqdm(numbers, desc=what):
        try:
            picture = painter.draw(number, width)
        except ImageReadError as error:
            if not args.skip_missing:
                raise ImageReadError(
                    f"{error}. Restore the file, or leave such samples out with --skip-missing"
                ) from error
            damaged += 1
        else:
            yield painter.token_of(number), picture
    if damaged:
        print(f"{what}: {damaged} of {len(numbers)} samples left out: an image can't be read")


def usable_samples(args: argparse.Namespace, painter: SamplePainter) -> Sequence[int]:
    """Numbers of all samples; with `--skip-missing`, of those whose images are there."""
    everything = range(len(painter))
    if not args.skip_missing:
        return everything
    usable = [number for number in tqdm(everything, desc="images") if painter.has_images(number)]
    if not usable:
        raise InputError(f"{args.index}: no sample has all its images below {args.root}")
    if len(usable) < len(painter):
        missing = len(painter) - len(usable)
        print(f"{missing} of {len(painter)} samples left out: images are missing below {args.root}")
    return usable


def chosen_samples(args: argparse.Namespace, painter: SamplePainter, usable: Sequence[int]) -> list[int]:
    """Numbers of the usable samples to draw as pictures."""
    if not args.tokens:
        return [usable[place] for place in spread(len(usable), args.count)]
    numbers = {painter.token_of(number): number for number in range(len(painter))}
    missing = [token for token in args.tokens if token not in numbers]
    if missing:
        raise InputError(f"{args.index}: no sample {missing[0]}; --tokens takes sample tokens of this index")
    drawable = set(usable)
    return [numbers[token] for token in args.tokens if numbers[token] in drawable]


def spread(total: int, count: int) -> list[int]:
    """`count` numbers, evenly spread over 0 .. total - 1."""
    return sorted(set(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()))


if __name__ == "__main__":
    run_main(main)
