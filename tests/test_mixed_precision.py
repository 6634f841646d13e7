"""The nano model trains in bfloat16 as it does in float32."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.registry import DATASETS, FUNCTIONS, MODELS

import bev
from bev.datasets.nuscenes.index_build import build_indexes
from bev.datasets.synthetic import generate
from bev.engine.autocast import AutocastOptimWrapper
from bev.engine.config import load_config

NANO = Path(__file__).parents[1] / "configs" / "bevformerv2_internimage_nano_synthetic.py"
STEPS = 200
SEEDS = (0, 1, 2)
"""Another number of threads alone moves the end of a short training by several percent: means of three are compared."""


def mean_of_last_losses(root: Path, dtype: str | None, seed: int) -> float:
    config = load_config(NANO, {"train_dataloader.dataset.data_root": str(root)})
    torch.manual_seed(seed)
    model = MODELS.build(config.model).train()
    dataset = DATASETS.build(config.train_dataloader.dataset)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    wrapper = AutocastOptimWrapper(dtype or "bfloat16", optimizer=optimizer, clip_grad={"max_norm": 35.0})
    losses = []
    for step in range(STEPS):
        batch = FUNCTIONS.get("collate_clips")([dataset[step % len(dataset)]])
        data = model.data_preprocessor(batch, True)
        if dtype is None:
            total, _ = model.parse_losses(model(**data, mode="loss"))
        else:
            with wrapper.optim_context(model):
                total, _ = model.parse_losses(model(**data, mode="loss"))
        wrapper.update_params(total)
        losses.append(total.item())
    assert all(torch.isfinite(torch.tensor(losses)))
    return sum(losses[-50:]) / 50


@pytest.mark.slow
def test_200_steps_in_bfloat16_follow_float32(tmp_path: Path) -> None:
    bev.register_all()
    generate(tmp_path, scenes=2, val_scenes=0, frames=6, seed=11, workers=1, progress=False)
    build_indexes(tmp_path, "v1.0-trainval")
    plain, half = (
        sum(mean_of_last_losses(tmp_path, dtype, seed) for seed in SEEDS) / len(SEEDS) for dtype in (None, "bfloat16")
    )
    assert half == pytest.approx(plain, rel=0.1)
