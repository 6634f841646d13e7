"""Images and categories of a COCO annotation file, boxes of a COCO result file, and masks as COCO wants them.

Shapes: N boxes of one image, H W height and width of the image as it lies on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bev.datasets.text_files import read_json
from bev.errors import InputError


class CocoFileError(InputError):
    """A file that isn't what it should be; the message says which entry."""


@dataclass(frozen=True)
class ImageBoxes:
    """What a detector found in one image, the most certain first.

    Attributes:
        boxes: (N, 4) left, top, right, bottom in pixels of the image on disk.
        scores: (N,).
        categories: (N,) COCO's category numbers.
    """

    boxes: np.ndarray
    scores: np.ndarray
    categories: np.ndarray

    @classmethod
    def empty(cls) -> ImageBoxes:
        """No boxes."""
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))

    def select(self, size: tuple[int, int], max_boxes: int, min_score: float) -> ImageBoxes:
        """The most certain boxes that have an area inside an image of this height and width, clipped to it."""
        height, width = size
        boxes = self.boxes.clip(0, [width, height, width, height])
        kept = (self.scores >= min_score) & (boxes[:, 2:] > boxes[:, :2]).all(1)
        order = np.argsort(-self.scores, kind="stable")
        order = order[kept[order]][:max_boxes]
        return ImageBoxes(boxes[order], self.scores[order], self.categories[order])


@dataclass(frozen=True)
class CocoImages:
    """The part of an annotation file that prompting needs.

    Attributes:
        images: `id`, `file_name`, `height` and `width` of each image.
        categories: Name of each category number.
    """

    images: Sequence[Mapping[str, Any]]
    categories: Mapping[int, str]

    @classmethod
    def read(cls, path: Path) -> CocoImages:
        """Read an annotation file; its annotations may be missing.

        Raises:
            CocoFileError: If it is not JSON, has no images or categories, or an image lacks an entry.
        """
        content = read_json(path, refused=CocoFileError)
        if not isinstance(content, dict) or not content.get("images") or not content.get("categories"):
            raise CocoFileError(f"{path} is no COCO annotation file: it needs lists of images and categories")
        for image in content["images"]:
            missing = [key for key in ("id", "file_name", "height", "width") if key not in image]
            if missing:
                raise CocoFileError(f"{path}: image {image.get('id', image)} has no {', '.join(missing)}")
        return cls(content["images"], {entry["id"]: entry["name"] for entry in content["categories"]})

    def category_of(self, names: Sequence[str]) -> np.ndarray:
        """Category number of each of a detector's classes, which may be in another order than the file's.

        Raises:
            CocoFileError: If the file lacks a class.
        """
        numbers = {name: number for number, name in self.categories.items()}
        missing = [name for name in names if name not in numbers]
        if missing:
            raise CocoFileError(f"the annotation file has no category for the detector's classes {', '.join(missing)}")
        return np.array([numbers[name] for name in names], np.int64)


def read_results(path: Path, coco: CocoImages) -> dict[int, ImageBoxes]:
    """Boxes of a COCO result file by image number; masks in it are not looked at.

    Raises:
        CocoFileError: If it is no list, or an entry is incomplete, or is about an image or category that the
            annotations don't have.
    """
    known = {image["id"] for image in coco.images}
    rows: dict[int, list[tuple[list[float], float, int]]] = {}
    for index, entry in enumerate(read_json(path, list, refused=CocoFileError)):
        try:
            image, category = entry["image_id"], entry["category_id"]
            left, top, width, height = map(float, entry["bbox"])
            score = float(entry["score"])
        except (KeyError, TypeError, ValueError) as error:
            needed = "image_id, category_id, score and a bbox of four numbers"
            raise CocoFileError(f"{path}: entry {index} needs {needed}, but it is {str(entry)[:200]}") from error
        if image not in known or category not in coco.categories:
            raise CocoFileError(f"{path}: entry {index} has image {image} and category {category}, not both are known")
        rows.setdefault(image, []).append(([left, top, left + width, top + height], score, category))
    return {image: _stack(found) for image, found in rows.items()}


def _stack(found: Sequence[tuple[list[float], float, int]]) -> ImageBoxes:
    boxes, scores, categories = zip(*found, strict=True)
    return ImageBoxes(np.array(boxes), np.array(scores), np.array(categories, np.int64))


def results_of(image: int, found: ImageBoxes, masks: np.ndarray) -> list[dict[str, Any]]:
    """Entries of a COCO result file for one image.

    Args:
        image: Its number.
        found: N boxes; the entries keep them and their scores.
        masks: (N, H, W) bool.
    """
    corners = np.asarray(found.boxes, np.float64).round(2)
    sizes = np.concatenate((corners[:, :2], corners[:, 2:] - corners[:, :2]), 1).round(2)
    return [
        {
            "image_id": image,
            "category_id": int(category),
            "bbox": box.tolist(),
            "score": float(score),
            "segmentation": encode(mask),
        }
        for box, score, category, mask in zip(sizes, found.scores, found.categories, masks, strict=True)
    ]


def encode(mask: np.ndarray) -> dict[str, Any]:
    """A mask (H, W) as COCO's run lengths, in types that JSON has."""
    encoded = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode("ascii")}


def decode(segmentation: Mapping[str, Any]) -> np.ndarray:
    """The mask (H, W) bool that `encode` made run lengths of."""
    return rle.decode(dict(segmentation)).astype(bool)


def mask_ap(annotations: Path, results: Path) -> dict[str, float]:
    """COCO's mask AP of a result file, in percent; prints the usual table."""
    if not read_json(results):
        return {"mask_AP": 0.0, "mask_AP50": 0.0, "mask_AP75": 0.0}
    truth = COCO(str(annotations))
    evaluation = COCOeval(truth, truth.loadRes(str(results)), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return {name: 100 * float(evaluation.stats[i]) for i, name in enumerate(("mask_AP", "mask_AP50", "mask_AP75"))}
