"""The detectors of the BEVFormer goldens, whole or in parts, with the weights that its official names give.

Sizes are those of the golden files: 20 x 20 cells (or another shape), 60 queries, images of 96 x 160 pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import golden
import numpy as np
import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

import bev
from bev.engine.config import load_config
from bev.engine.official import convert_official, export_official
from bev.engine.official.bevformer import NAMES
from bev.models.perceptor import BEVPerceptor
from bev.structures import CameraClip

BOUNDS = (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)
IMAGE_SIZE = (96, 160)
CANONICAL_SIZES = load_config(Path(__file__).parents[2] / "configs/_base_/perspective.py").canonical_sizes
FEATURE_SHAPES = ((12, 20), (6, 10), (3, 5), (2, 3))

BACKBONE = {
    "type": "mmdet.ResNet",
    "depth": 50,
    "num_stages": 4,
    "out_indices": (1, 2, 3),
    "norm_cfg": {"type": "BN"},
    "norm_eval": False,
    "style": "caffe",
}
NECK = {
    "type": "mmdet.FPN",
    "in_channels": [512, 1024, 2048],
    "out_channels": 256,
    "start_level": 0,
    "add_extra_convs": "on_output",
    "num_outs": 5,
    "relu_before_extra_convs": True,
}


def encoder_config(bev_shape: tuple[int, int] = (20, 20)) -> dict[str, Any]:
    """Published encoder on a grid of `bev_shape`."""
    return {"type": "BEVFormerEncoder", "grid": {"bounds": BOUNDS, "shape": bev_shape}}


def fusion_config(num_frames: int, hidden_dims: int | None = None) -> dict[str, Any]:
    """Published fusion of `num_frames` frames."""
    return {"type": "TemporalFusion", "num_frames": num_frames, "hidden_dims": hidden_dims}


def detection_config(num_queries: int = 60, num_groups: int = 1) -> dict[str, Any]:
    """Published detection head with `num_queries` queries in each of `num_groups` groups."""
    queries = {"type": "LearnedQueries", "num_queries": num_queries, "num_groups": num_groups}
    return {"type": "BEVDetectionHead", "num_classes": 10, "decoder": {"type": "DETRDecoder", "queries": queries}}


def perspective_config(as_published: bool = True) -> dict[str, Any]:
    """Published perspective head."""
    return {
        "type": "DD3DHead",
        "num_classes": 10,
        "canonical_sizes": CANONICAL_SIZES,
        "norm_cfg": {"type": "BN"},
        "loss": {"as_published": as_published},
    }


def build_part(config: dict[str, Any], own_prefix: str) -> nn.Module:
    """A filled part in evaluation mode.

    Args:
        config: What `MODELS` builds.
        own_prefix: Where a `BEVPerceptor` has this part: "encoder.", "temporal.", "heads.detection.".
    """
    bev.register_all()
    part = MODELS.build(config)
    fill(part, own_prefix)
    return part.eval()


def build_detector(
    bev_shape: tuple[int, int] = (20, 20),
    num_queries: int = 60,
    num_groups: int = 1,
    num_frames: int = 1,
    hidden_dims: int | None = None,
    filled: bool = True,
    perspective: bool = False,
) -> BEVPerceptor:
    """The whole detector in evaluation mode: ResNet-50, FPN, encoder, fusion of several frames, detection head."""
    bev.register_all()
    detector = BEVPerceptor(
        backbone=BACKBONE,
        neck=NECK,
        encoder=encoder_config(bev_shape),
        temporal=fusion_config(num_frames, hidden_dims) if num_frames > 1 else None,
        heads={
            "detection": detection_config(num_queries, num_groups),
            **({"perspective": perspective_config()} if perspective else {}),
        },
    )
    if filled:
        fill(detector)
    return detector.eval()


def build_v1_detector(bev_shape: tuple[int, int] = (20, 20), filled: bool = True, **temporal: Any) -> BEVPerceptor:
    """BEVFormer v1 tiny in evaluation mode; `temporal` goes to `RecurrentBEV`."""
    bev.register_all()
    grid = {"bounds": BOUNDS, "shape": bev_shape}
    encoder = {"type": "BEVFormerEncoder", "grid": grid, "num_layers": 3, "num_levels": 1, "can_bus_dims": 18}
    options = {"motion": "can_bus", "rotation_centre": (100, 100), **temporal}
    detector = BEVPerceptor(
        backbone=dict(BACKBONE, out_indices=(3,), style="pytorch"),
        neck=dict(NECK, in_channels=[2048], num_outs=1),
        encoder=encoder,
        temporal={"type": "RecurrentBEV", "grid": grid, **options},
        heads={"detection": detection_config()},
        video_test_mode=True,
    )
    if filled:
        fill(detector)
    return detector.eval()


def fill(module: nn.Module, own_prefix: str = "", family: str = "bevformerv2") -> None:
    """Give every parameter the values of its official name, through the converter, and switch dropout off."""
    state = {own_prefix + key: value for key, value in module.state_dict().items()}
    official = {name: official_value(name, value) for name, value in export_official(state, family, False).items()}
    converted, _ = convert_official(official, family, legacy_boxes=False)
    module.load_state_dict({key.removeprefix(own_prefix): value for key, value in converted.items()})
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        elif isinstance(part, nn.MultiheadAttention):
            part.dropout = 0.0


def official_value(name: str, constructed: Tensor) -> Tensor:
    """What the golden models hold under an official name; integers and constants stay as constructed."""
    if not constructed.is_floating_point():
        return constructed
    values = golden.parameter(name, tuple(constructed.shape), bev=True)
    return constructed if values is None else torch.from_numpy(values)


def official_name(own_key: str) -> str:
    """The official name of a parameter."""
    name = NAMES.to_official(own_key)
    assert name is not None, own_key
    return name


def image_features(name: str = "bevformerv2", batch_size: int = 1) -> list[Tensor]:
    """Four feature levels (B, 6, 256, h, w) of golden inputs `name/feat{i}`."""
    return [golden.inp(f"{name}/feat{i}", (batch_size, 6, 256, *shape)) for i, shape in enumerate(FEATURE_SHAPES)]


def encode(encoder: nn.Module, levels: list[Tensor], pix_T_bev: Tensor) -> Tensor:
    """BEV map (B, C, H, W) of six cameras whose images fill the padded size; `pix_T_bev` is (B, 6, 4, 4)."""
    batch_size = len(pix_T_bev)
    sizes = torch.tensor(IMAGE_SIZE).expand(batch_size, 6, 2)
    return encoder(levels, pix_T_bev, sizes, IMAGE_SIZE, torch.ones(batch_size, 6, dtype=torch.bool))


def as_tokens(bev_map: Tensor) -> Tensor:
    """(B, C, H, W) to the official (B, H * W, C)."""
    return bev_map.flatten(2).transpose(1, 2)


def clip_of(images: Tensor, pix_T_bev: np.ndarray | Tensor, current: int = 0) -> CameraClip:
    """A clip of images (B, T, 6, 3, 96, 160) in which every camera sees; `pix_T_bev` is (B, T, 6, 4, 4)."""
    cameras = images.shape[:3]
    return CameraClip(
        images=images,
        image_sizes=torch.tensor(images.shape[-2:]).expand(*cameras, 2),
        pix_T_bev=torch.as_tensor(pix_T_bev),
        camera_mask=torch.ones(cameras, dtype=torch.bool),
        times=(torch.arange(cameras[1]) - current).expand(cameras[:2]) * 0.5,
        current=current,
        bev_augmentation=torch.eye(4).repeat(cameras[0], 1, 1),
    )
