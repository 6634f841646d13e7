"""A lane topology head of few channels, features for it, and random ground truth."""

from __future__ import annotations

from typing import Any

import bev  # (first: it lets mmdet3d import without mmcv's compiled extension)

# isort: split
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.structures import BaseDataElement
from torch import Tensor

from bev.geometry import BEVGrid
from bev.models.heads.lanes import LaneTopologyHead
from bev.structures import BEVFeatures, CameraClip, ClipFeatures, ImageFeatures

DIMS = 16
GRID = BEVGrid((-32.0, -16.0, -2.0, 32.0, 16.0, 2.0), (8, 16))
PADDED = (32, 64)
STRIDES = (8, 16)


def small_config(
    graph: bool = False,
    end_gap: bool = False,
    end_joint: bool = False,
    refine: bool = False,
    proposals: bool = False,
    quality_scale: float | None = None,
    **code: Any,
) -> dict[str, Any]:
    """Config of a head with 6 lane and 5 traffic element queries; `code` goes to `CurveCode`."""
    attention = {"embed_dims": DIMS, "num_heads": 2, "feedforward_channels": DIMS, "dropout": 0.0}
    queries = {"type": "LearnedQueries", "embed_dims": DIMS}
    decoder = {"type": "DETRDecoder", "num_layers": 2, **attention}
    seeds = {"type": "CurveQueries", "embed_dims": DIMS, "code": code} if proposals else queries
    points = {"num_points": code.get("num_control", 5)} if proposals else {}
    relation = {"embed_dims": DIMS, "hidden_dims": 8}
    return {
        "type": "LaneTopologyHead",
        "lanes": {
            "type": "CentrelineDetector",
            "decoder": {**decoder, "queries": {**seeds, "num_queries": 6}, "refine": refine, **points},
            "code": code,
            "quality_scale": quality_scale,
        },
        "traffic": {
            "type": "TrafficElementDetector",
            "encoder": {"type": "PyramidEncoder", "num_layers": 1, "num_levels": 2, **attention},
            "decoder": {**decoder, "queries": {**queries, "num_queries": 5, "reference_dims": 2}, "num_levels": 2},
        },
        "lane_lane": {"type": "PairRelation", "end_gap": end_gap, "end_joint": end_joint, **relation},
        "lane_traffic": {"type": "PairRelation", **relation},
        "graph": {"type": "LaneGraphLayer", "embed_dims": DIMS, "dropout": 0.0} if graph else None,
    }


def small_head(**options: Any) -> LaneTopologyHead:
    """A head of `small_config(**options)` with random weights, those that start as zero included."""
    bev.register_all()
    torch.manual_seed(0)
    config = small_config(**options)
    head = LaneTopologyHead(**{key: value for key, value in config.items() if key != "type"})
    with torch.no_grad():
        for name, parameter in head.named_parameters():
            if "reg_branches" in name or "sampling_offsets" in name or "attention_weights" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return head


def small_features(batch_size: int = 2) -> ClipFeatures:
    """Random features of two cameras; the front images have padding of different widths."""
    generator = torch.Generator().manual_seed(1)
    cameras = (batch_size, 1, 2)
    sizes = torch.tensor(PADDED).repeat(*cameras, 1)
    sizes[:, 0, 0, 1] -= 8 * torch.arange(batch_size)
    clip = CameraClip(
        images=torch.zeros(*cameras, 3, *PADDED),
        image_sizes=sizes,
        pix_T_bev=torch.eye(4).repeat(*cameras, 1, 1),
        camera_mask=torch.ones(cameras, dtype=torch.bool),
        times=torch.zeros(batch_size, 1),
        current=0,
        bev_augmentation=torch.eye(4).repeat(batch_size, 1, 1),
    )
    levels = tuple(
        torch.randn(*cameras, DIMS, PADDED[0] // stride, PADDED[1] // stride, generator=generator)
        for stride in STRIDES
    )
    bev_map = torch.randn(batch_size, DIMS, *GRID.shape, generator=generator)
    return ClipFeatures(BEVFeatures(bev_map, GRID), ImageFeatures(levels, clip))


def one_sample(features: ClipFeatures, index: int) -> ClipFeatures:
    """The features of one sample of the batch."""
    part = slice(index, index + 1)
    levels = tuple(level[part] for level in features.images.levels)
    images = ImageFeatures(levels, features.images.clip.select_samples(part))
    return ClipFeatures(BEVFeatures(features.bev.map[part], features.bev.grid), images)


def random_sample(
    num_lanes: int, num_elements: int, seed: int = 0, size: tuple[int, int] = (32, 48)
) -> Det3DDataSample:
    """Ground truth inside the grid and a front image of `size` (height, width)."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    low, high = torch.tensor(GRID.bounds).view(2, 3)
    corners = uniform(num_elements, 2) * 0.7
    boxes = torch.cat([corners, corners + 0.1 + 0.2 * uniform(num_elements, 2)], dim=1)
    sample = Det3DDataSample(metainfo={"sample_token": "a-token"})
    sample.gt_lanes = BaseDataElement(
        lanes=low + (high - low) * uniform(num_lanes, 11, 3),
        traffic_boxes=boxes * torch.tensor([size[1], size[0]]).repeat(2),
        traffic_attributes=torch.randint(0, 13, (num_elements,), generator=generator),
        topology_lclc=uniform(num_lanes, num_lanes) > 0.5,
        topology_lcte=uniform(num_lanes, num_elements) > 0.5,
    )
    return sample
