from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS

import bev
from bev.engine.config import load_config
from bev.engine.model_size import evaluated_size, measure_size

CONFIGS = Path(__file__).parents[2] / "configs"
NANO = CONFIGS / "bevformerv2_internimage_nano_synthetic.py"


def test_parameters_and_frames() -> None:
    bev.register_all()
    config = load_config(NANO)
    one = measure_size(config)
    model = MODELS.build(config.model)
    assert one.parameters == sum(value.numel() for value in model.parameters())
    assert one.backbone_parameters == sum(value.numel() for value in model.backbone.parameters())
    assert (one.frames, one.image_size) == (1, (96, 256))
    assert one.live_multiply_adds == one.multiply_adds
    config.model.temporal = dict(type="TemporalFusion", num_frames=3, embed_dims=64, hidden_dims=64)
    config.test_dataloader.dataset.frame_offsets = (-2, -1, 0)
    three = measure_size(config)
    assert three.multiply_adds > 2 * one.multiply_adds
    assert one.live_multiply_adds < three.live_multiply_adds < three.multiply_adds


def test_recurrent_models_encode_the_history_of_their_clips_offline_alone() -> None:
    config = load_config(CONFIGS / "bevformerv2_internimage_nano_waymo_synthetic.py")
    one = measure_size(config)
    assert (one.cameras, one.frames) == (5, 1)
    config.model.temporal = dict(type="RecurrentBEV", grid=config.model.encoder.grid)
    config.test_dataloader.dataset.frame_offsets = (-5, 0)
    two = measure_size(config)
    assert one.multiply_adds == two.live_multiply_adds
    assert 1.5 * one.multiply_adds < two.multiply_adds < 2 * one.multiply_adds


def test_a_convolution_is_counted_as_one_expects() -> None:
    from bev.engine.model_size import count

    layer = torch.nn.Conv2d(3, 8, 3, padding=1, device="meta").requires_grad_(False)
    cost, _ = count(lambda: layer(torch.zeros(2, 3, 10, 20, device="meta")))
    assert cost == 2 * 10 * 20 * 8 * 3 * 9


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("bevformer_base", (928, 1600)),
        ("bevformer_tiny", (480, 800)),
        ("bevformerv2_internimage_t", (640, 1600)),
        ("bevformer_plus_plus_r101_waymo", (1280, 1920)),
        ("bevformerv2_internimage_nano_waymo_synthetic", (128, 256)),
        ("bevformerv2_internimage_nano_mixed_synthetic", (96, 256)),
    ],
)
def test_image_sizes(name: str, size: tuple[int, int]) -> None:
    assert evaluated_size(load_config(CONFIGS / f"{name}.py")) == size
