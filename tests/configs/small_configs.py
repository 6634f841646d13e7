"""What the tests of whole configs share."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

# What a user would pass with --cfg-options to see a lane config run on a laptop.
SMALL_LANES = {
    "model.encoder.grid.shape": (6, 12),
    "model.encoder.num_layers": 1,
    "model.heads.lanes.lanes.decoder.num_layers": 2,
    "model.heads.lanes.lanes.decoder.queries.num_queries": 8,
    "model.heads.lanes.traffic.encoder.num_layers": 1,
    "model.heads.lanes.traffic.decoder.num_layers": 2,
    "model.heads.lanes.traffic.decoder.queries.num_queries": 7,
}


def small_backbone(name: str) -> dict[str, Any]:
    """Overrides that make the backbone of a config of this name small, where it can be made so.

    None of its few blocks is dropped, which would leave a stage without gradient.
    """
    small = {"model.backbone.depths": (1, 1, 1, 1), "model.backbone.drop_path_rate": 0.0}
    return small if "internimage" in name else {}


def build_optim_wrapper(model: torch.nn.Module, config: Config) -> OptimWrapper:
    """The optimizer as the runner of a config builds it."""
    return Runner.build_optim_wrapper(_Owner(model), config.optim_wrapper)


class _Owner:
    """What `Runner.build_optim_wrapper` needs of a runner."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model
