"""Small BEVFormers of both generations on made nuScenes files, offline and live."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.config import Config
from mmengine.registry import DATASETS, FUNCTIONS, MODELS

from bev.engine.config import load_config
from bev.engine.data_config import set_data_root

NANO = Path(__file__).parents[2] / "configs" / "bevformerv2_internimage_nano_synthetic.py"


def small_config(root: Path, index: Path, kind: str, crop=(0, 300, 1600, 900), size=(32, 64)) -> Config:
    """A nano model; `kind` is "v1", or "t2", "t8", ... for BEVFormer v2 with that many frames."""
    config = load_config(NANO)
    model = config.model
    model.encoder.update(grid=dict(bounds=model.encoder.grid.bounds, shape=(12, 10)), num_layers=1)
    model.heads.detection.decoder.num_layers = 1
    model.heads.detection.decoder.queries.num_queries = 20
    frames = 1 if kind == "v1" else int(kind[1:])
    if kind == "v1":
        model.encoder.can_bus_dims = 18
        model.temporal = dict(type="RecurrentBEV", grid=model.encoder.grid, motion="can_bus")
        model.video_test_mode = True
    elif frames > 1:
        model.temporal = dict(type="TemporalFusion", num_frames=frames, embed_dims=64, hidden_dims=64)
    dataset = config.test_dataloader.dataset
    dataset.ann_file = str(index)
    dataset.frame_offsets = tuple(range(1 - frames, 1))
    dataset.pipeline[1].update(crop=crop, size=size)
    dataset.setdefault("classes", config.classes)
    set_data_root(config, root)
    return config


def lively(model: torch.nn.Module) -> torch.nn.Module:
    """Weights that make every part of the model matter."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.dim() > 1 and not value.any():
                value.add_(0.05 * torch.randn(value.shape, generator=generator))
            elif name.endswith("reg_branches.0.4.bias"):
                value.add_(0.1 * torch.randn(value.shape, generator=generator))
    return model.eval()


def checkpoint_of(config: Config, folder: Path) -> Path:
    """Random weights in a file."""
    torch.manual_seed(0)
    model = lively(MODELS.build(config.model))
    path = folder / "model.pth"
    torch.save({"state_dict": model.state_dict()}, path)
    return path


def offline(config: Config, checkpoint: Path, count: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Gravity boxes (M, 9) in the bev frame and scores of every sample, as evaluation finds them."""
    found = []
    for sample in offline_samples(config, checkpoint, count):
        objects = sample.pred_instances_3d
        boxes = torch.cat([objects.bboxes_3d.gravity_center, objects.bboxes_3d.tensor[:, 3:]], 1)
        found.append((boxes.double().numpy(), objects.scores_3d.double().numpy()))
    return found


def offline_samples(config: Config, checkpoint: Path, count: int | None = None) -> list[Det3DDataSample]:
    """What evaluation predicts of every sample."""
    model = MODELS.build(config.model)
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"])
    model.eval()
    dataset = DATASETS.build(config.test_dataloader.dataset)
    found = []
    with torch.no_grad():
        for number in range(len(dataset) if count is None else count):
            batch = FUNCTIONS.get("collate_clips")([dataset[number]])
            found += model(**model.data_preprocessor(batch, False), mode="predict")
    return found
