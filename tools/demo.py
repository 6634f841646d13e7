#!/usr/bin/env python3
"""Runs a trained model frame by frame over recorded images and writes what it sees: an MP4 and a JSON file.

tools/demo.py index --root data/nuscenes --index data/nuscenes/nuscenes_infos_val.pkl --config C.py --checkpoint F.pth
tools/demo.py images calibration.json --config C.py --checkpoint F.pth
tools/demo.py videos calibration.json --rate 2 --config C.py --checkpoint F.pth

The calibration file is described in docs/own_cameras.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from bev.engine.cli import NARROWEST, DictAction, at_least, device, finite, positive, run_main

if TYPE_CHECKING:
    from bev.inference import StreamingPerceptor
    from bev.inference.sources import StepInput


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", required=True)
    shared.add_argument("--checkpoint", required=True)
    shared.add_argument("--cfg-options", nargs="+", action=DictAction, default={}, help="overrides, as key.sub=value")
    shared.add_argument("--out", type=Path, default=Path("work_dirs/live"), help="gets demo.mp4 and detections.json")
    shared.add_argument("--device", type=device, default="cpu")
    shared.add_argument("--precision", choices=("float32", "bfloat16", "float16"), default="float32")
    shared.add_argument("--score", type=finite, default=0.3, help="draw and write detections that score at least this")
    shared.add_argument("--max-frames", type=at_least(1), help="stop after so many")
    shared.add_argument("--no-tracking", action="store_true", help="give detections no identities")
    shared.add_argument("--extent", type=positive, default=40.0, help="metres shown in each direction")
    shared.add_argument(
        "--camera-width", type=at_least(NARROWEST), default=400, help="width of a camera image in the video, pixels"
    )
    shared.add_argument("--fps", type=positive, default=4.0, help="frames per second of the video")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sources = parser.add_subparsers(dest="source", required=True)
    index = sources.add_parser("index", parents=[shared], help="samples of a nuScenes index")
    index.add_argument("--root", required=True, help="data root")
    index.add_argument("--index", required=True, help="index file")
    for name, help_text in (
        ("images", "pictures of each moment, which a calibration file names"),
        ("videos", "one video per camera, likewise"),
    ):
        source = sources.add_parser(name, parents=[shared], help=help_text)
        source.add_argument("calibration", type=Path, help="calibration file (JSON)")
        if name == "videos":
            source.add_argument("--rate", type=positive, help="pictures per second to look at; all without it")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the tool with these arguments, or the command line's."""
    options = parse_args(arguments)
    import bev

    bev.register_all()
    from bev.datasets.text_files import write_json
    from bev.engine.config import load_config
    from bev.engine.data_config import bev_frame, evaluated_dataset
    from bev.inference import GreedyTracker, StreamingPerceptor
    from bev.visualization import write_mp4

    tracker = None if options.no_tracking else GreedyTracker()
    config = load_config(options.config, options.cfg_options)
    dataset = evaluated_dataset(config)
    moments, cameras = open_source(options, bev_frame(dataset), dataset.get("on_error", "raise"))
    perceptor = StreamingPerceptor(
        config,
        options.checkpoint,
        options.device,
        cameras=cameras,
        precision=options.precision,
        score_threshold=options.score,
        tracker=tracker,
    )
    records: list[dict] = []
    video, report = options.out / "demo.mp4", options.out / "detections.json"
    write_mp4(video, run(perceptor, moments, cameras, options, records), options.fps)
    write_json(report, {"config": str(options.config), "frames": records})
    objects = sum(len(record["objects"]) for record in records)
    print(f"{video} and {report}: {len(records)} frames, {objects} objects")


def open_source(
    options: argparse.Namespace, bev_frame: str, on_error: str
) -> tuple[Iterable[StepInput], tuple[str, ...] | None]:
    """What a model trained in this bev frame is to see, moment by moment, and the camera axis of its data set.

    A calibration file lists all cameras in every moment, so the axis follows from the first one: None. `on_error` is
    that of the config's data set.
    """
    from bev.inference import sources

    if options.source == "index":
        replay = sources.IndexReplay(options.index, options.root, bev_frame=bev_frame, on_error=on_error)
        return replay, replay.cameras
    if options.source == "images":
        return sources.read_images(options.calibration), None
    return sources.read_videos(options.calibration, options.rate), None


def run(
    perceptor: StreamingPerceptor,
    moments: Iterable[StepInput],
    cameras: Sequence[str] | None,
    options: argparse.Namespace,
    records: list[dict],
) -> Iterator[np.ndarray]:
    """Step through the moments, note the detections in `records` and draw each moment: RGB (H, W, 3) uint8.

    All pictures have places for the same cameras, those of the list or else all that the first moment describes.
    """
    from bev.geometry import pix_T_cam
    from bev.visualization.boxes import BoxSet
    from bev.visualization.frame import draw_frame, image_sizes

    scene, sizes = None, {}
    for moment in tqdm(islice(moments, options.max_frames), desc="frames", unit="frame"):
        if scene is not None and moment.scene != scene:
            perceptor.reset()
        scene = moment.scene
        found = perceptor.step(**moment.arguments())
        records.append({"token": moment.token, **found.as_json()})
        if not moment.images:
            continue
        sizes = sizes or image_sizes(moment.images, tuple(cameras or moment.intrinsics))
        yield draw_frame(
            {name: np.ascontiguousarray(image) for name, image in moment.images.items()},
            {name: pix_T_cam(moment.intrinsics[name]) @ moment.cam_T_ego[name] for name in moment.images},
            BoxSet(found.boxes_ego, found.names, found.scores),
            extent=options.extent,
            title=f"{moment.timestamp:.2f} s   {len(found)} objects with score >= {options.score:g}",
            camera_width=options.camera_width,
            forward=(1.0, 0.0),
            cameras=sizes,
        )


if __name__ == "__main__":
    run_main(main)
