"""Boxes from a detector of mmdet, such as those of projects/detection.

Shapes: N boxes, H W height and width of the image as it lies on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import MODELS

from bev.engine.checkpoint import load_weights
from bev.engine.config import ConfigError, find_registered, scope, scope_of
from bev.engine.runner import fit_to_cpu
from projects.segment_anything.coco import CocoImages, ImageBoxes


class Detector:
    """Finds boxes in one image at a time, with the test pipeline of its config.

    Args:
        config: An experiment of mmdet.
        checkpoint: Its weights.
        coco: Whose category numbers the boxes get, by the names of the classes.
        device: Where it runs.

    Raises:
        CocoFileError: If a class has no category.
        CheckpointError: If the weights don't fit.
    """

    def __init__(self, config: Config, checkpoint: Path, coco: CocoImages, device: str = "cpu") -> None:
        self.categories = coco.category_of(class_names(config))
        self.config = config
        if device == "cpu":
            fit_to_cpu(config)
        with scope(config):
            self.model = MODELS.build(config.model)
            self.pipeline = Compose(from_memory(config.test_dataloader.dataset.pipeline))
        load_weights(self.model, checkpoint, strict=True)
        self.model.to(device).eval()

    @torch.no_grad()
    def __call__(self, image: np.ndarray) -> ImageBoxes:
        """Boxes of an image (H, W, 3) in RGB, in its own pixels: the pipeline's resizing and padding are undone."""
        with scope(self.config):
            sample = self.pipeline({"img": np.ascontiguousarray(image[..., ::-1]), "img_id": 0})
            found = self.model.test_step(pseudo_collate([sample]))[0].pred_instances.cpu().numpy()
        return ImageBoxes(found.bboxes, found.scores, self.categories[found.labels])


def class_names(config: Config) -> Sequence[str]:
    """Names of a detector's classes in the order of its outputs: those of its test data set.

    Raises:
        ConfigError: If the config doesn't tell.
    """
    dataset = config.test_dataloader.dataset
    while "dataset" in dataset:
        dataset = dataset.dataset
    names = (dataset.get("metainfo") or {}).get("classes")
    if names is None:
        classes = find_registered(dataset.type, scope_of(config))
        names = next((found.METAINFO.get("classes") for found in classes if hasattr(found, "METAINFO")), None)
    if not names:
        raise ConfigError(f"{config.filename}: test_dataloader.dataset has no metainfo with the names of the classes")
    return names


def from_memory(pipeline: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A test pipeline that takes an image (BGR) instead of reading a file, and no annotations."""
    steps = [dict(step) for step in pipeline if not step["type"].endswith("LoadAnnotations")]
    if not steps[0]["type"].endswith("LoadImageFromFile"):
        raise ConfigError(f"the test pipeline must begin with LoadImageFromFile, not with {steps[0]['type']}")
    return [{"type": "mmdet.LoadImageFromNDArray"}, *steps[1:]]
