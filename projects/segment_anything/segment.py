"""Masks for boxes: `python -m projects.segment_anything.segment --sam FOLDER --annotations FILE --images FOLDER ...`.

The boxes come from a detector (`--config CONFIG --checkpoint FILE`) or from a COCO result file (`--boxes FILE`). The
output is a COCO result file with the boxes, their scores and one mask each. A run that was stopped goes on where it
was when it is started again in the same way.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

import bev
from bev.datasets.shards import ShardFolder
from bev.datasets.text_files import read_json, write_json
from bev.engine.cli import at_least, device, finite, run_main
from bev.engine.config import load_config
from projects.segment_anything.coco import (
    CocoFileError,
    CocoImages,
    ImageBoxes,
    mask_ap,
    read_results,
    results_of,
)
from projects.segment_anything.prompting import BoxPrompter

BoxSource = Callable[[int, np.ndarray], ImageBoxes]  # number and pixels (H, W, 3) RGB of an image -> boxes


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line.

    Args:
        arguments: Instead of the process's own.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sam", type=Path, required=True, help="folder with config.json and model.safetensors")
    parser.add_argument("--annotations", type=Path, required=True, help="COCO file with images and categories")
    parser.add_argument("--images", type=Path, required=True, help="folder of the images")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/segment_anything/results.json"))
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--boxes", type=Path, help="COCO result file of a detector")
    source.add_argument("--config", type=Path, help="config of a detector, such as one of projects/detection")
    parser.add_argument("--checkpoint", type=Path, help="weights of the detector")
    parser.add_argument("--max-boxes", type=at_least(1), default=100, help="per image, the most certain")
    parser.add_argument("--min-score", type=finite, default=0.0)
    parser.add_argument("--prompts-per-step", type=at_least(1), default=32, help="boxes at once")
    parser.add_argument("--device", type=device, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--evaluate", action="store_true", help="mask AP against the annotations")
    args = parser.parse_args(arguments)
    if (args.config is None) != (args.checkpoint is None):
        parser.error("--config and --checkpoint go together")
    return args


def main(arguments: list[str] | None = None) -> None:
    """Make a mask for every box and keep them as one result file."""
    args = parse_args(arguments)
    coco = CocoImages.read(args.annotations)
    prompter = BoxPrompter.from_folder(args.sam, args.device, args.prompts_per_step)
    boxes_of = box_source(args, coco)
    with ShardFolder.of(args.out.parent, args.out.stem, fingerprint(args)) as shards:
        for image in tqdm(coco.images, desc="masks", unit="image"):
            if not shards.has(str(image["id"])):
                shards.write(str(image["id"]), segment_image(image, args, boxes_of, prompter))
        results = shards.read(str(image["id"]) for image in coco.images)
        write_json(args.out, results)
        shards.remove()
    print(f"{len(results)} masks in {len(coco.images)} images: {args.out}")
    if args.evaluate:
        if "annotations" not in read_json(args.annotations):
            raise CocoFileError(f"{args.annotations} has no annotations to evaluate against")
        print(json.dumps(mask_ap(args.annotations, args.out)))


def segment_image(
    image: dict[str, Any], args: argparse.Namespace, boxes_of: BoxSource, prompter: BoxPrompter
) -> list[dict[str, Any]]:
    """Entries of the result file for one image."""
    size = image["height"], image["width"]
    pixels = read_image(args.images / image["file_name"], size)
    found = boxes_of(image["id"], pixels).select(size, args.max_boxes, args.min_score)
    return results_of(image["id"], found, prompter.masks(pixels, found.boxes))


def read_image(path: Path, size: tuple[int, int]) -> np.ndarray:
    """An image (H, W, 3) in RGB, as it lies on disk: annotations know nothing of a camera's orientation.

    Raises:
        FileNotFoundError: If there is none.
        CocoFileError: If it is no image, or of another size than the annotations say.
    """
    try:
        with Image.open(path) as file:
            pixels = rgb_pixels(file)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError) as error:
        raise CocoFileError(f"{path} is no image that can be read: {error}") from error
    if pixels.shape[:2] != size:
        raise CocoFileError(f"{path} is {pixels.shape[0]} x {pixels.shape[1]}, but the annotations say {size}")
    return pixels


def rgb_pixels(image: Image.Image) -> np.ndarray:
    """Pixels (H, W, 3) uint8 of an image in any mode; 16-bit grey is scaled, which Pillow would cut off at 255."""
    if not image.mode.startswith("I;16"):
        return np.array(image.convert("RGB"))
    grey = (np.asarray(image).astype(np.uint32) * 255 + 32767) // 65535
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def box_source(args: argparse.Namespace, coco: CocoImages) -> BoxSource:
    """What the arguments name, a result file or a detector."""
    if args.boxes is not None:
        by_image = read_results(args.boxes, coco)
        return lambda image, _: by_image.get(image, ImageBoxes.empty())
    bev.register_all()
    from projects.segment_anything.detector import Detector

    detector = Detector(load_config(args.config), args.checkpoint, coco, args.device)
    return lambda _, pixels: detector(pixels)


def fingerprint(args: argparse.Namespace) -> str:
    """Changes with everything that masks depend on, files by size and time."""
    settings: list[Any] = [args.max_boxes, args.min_score, str(args.images.resolve())]
    files: Iterable[Path | None] = (args.annotations, args.boxes, args.config, args.checkpoint, *args.sam.glob("*"))
    for file in sorted(file.resolve() for file in files if file is not None):
        state = file.stat()
        settings.append([str(file), state.st_size, state.st_mtime_ns])
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]


if __name__ == "__main__":
    run_main(main)
