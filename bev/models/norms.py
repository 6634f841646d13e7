"""Norm layers that fit the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.distributed as torch_dist


def available_norm(norm_cfg: Mapping[str, Any]) -> dict[str, Any]:
    """`norm_cfg`, with SyncBN turned into BN unless several processes train on GPUs."""
    synchronised = torch_dist.is_available() and torch_dist.is_initialized() and torch_dist.get_backend() == "nccl"
    if norm_cfg["type"] == "SyncBN" and not synchronised:
        return {**norm_cfg, "type": "BN"}
    return dict(norm_cfg)
