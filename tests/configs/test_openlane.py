"""The lane configs train a step on random clips and predict, when their sizes are cut down on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.registry import MODELS
from small_configs import SMALL_LANES, build_optim_wrapper, small_backbone
from small_lanes import random_sample

import bev
from bev.engine.config import load_config
from bev.models.perceptor import BEVPerceptor
from bev.structures import CameraClip

CONFIGS = sorted(
    path for path in (Path(__file__).parents[2] / "configs").glob("openlane_*.py") if "nano" not in path.stem
)
FRONT_SIZE = (96, 64)


def small_model(path: Path) -> BEVPerceptor:
    bev.register_all()
    torch.manual_seed(0)
    return MODELS.build(load_config(path, {**SMALL_LANES, **small_backbone(path.stem)}).model)


def random_clip() -> CameraClip:
    """Two samples of seven cameras, the front one portrait, as loaded."""
    yaw = torch.arange(7) * (2 * torch.pi / 7)
    zero, one = torch.zeros(7), torch.ones(7)
    forward, right = torch.stack([yaw.cos(), yaw.sin(), zero], -1), torch.stack([yaw.sin(), -yaw.cos(), zero], -1)
    down = torch.stack([zero, zero, -one], -1)
    projections = torch.eye(4).repeat(2, 1, 7, 1, 1)
    projections[..., :3, :3] = torch.stack([50 * right + 48 * forward, 50 * down + 32 * forward, forward], -2)
    sizes = torch.tensor((64, 96)).repeat(2, 1, 7, 1)
    sizes[:, :, 0] = torch.tensor(FRONT_SIZE)
    return CameraClip(
        images=torch.randint(0, 256, (2, 1, 7, 3, 96, 96), dtype=torch.uint8),
        image_sizes=sizes,
        pix_T_bev=projections,
        camera_mask=torch.ones(2, 1, 7, dtype=torch.bool),
        times=torch.zeros(2, 1),
        current=0,
        bev_augmentation=torch.eye(4).repeat(2, 1, 1),
        can_bus=torch.randn(2, 1, 18, dtype=torch.float64),
    )


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_one_training_step_and_predictions(path: Path) -> None:
    model = small_model(path).train()
    samples = [random_sample(5, 3, 0, FRONT_SIZE), random_sample(0, 0, 1, FRONT_SIZE)]
    batch = model.data_preprocessor({"inputs": random_clip(), "data_samples": samples}, True)
    total, losses = model.parse_losses(model(**batch, mode="loss"))
    assert total.isfinite(), losses
    total.backward()
    still = [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None]
    assert not still, f"parameters without gradient: {still[:5]}"
    with torch.no_grad():
        found = model.eval()(batch["inputs"], [Det3DDataSample(), Det3DDataSample()], mode="predict")
    for sample in found:
        assert sample.pred_lanes.lanes.shape == (8, 11, 3)
        assert sample.pred_lanes.topology_lcte.shape == (8, 7)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_optimizer_gives_the_backbone_a_tenth(path: Path) -> None:
    config = load_config(path)
    with torch.device("meta"):
        model = MODELS.build(config.model)
    assert config.param_scheduler[1].T_max == config.train_cfg.max_epochs == 24
    rates = {group["lr"] for group in build_optim_wrapper(model, config).optimizer.param_groups}
    assert rates == {2e-4, 2e-5}


def test_only_models_with_can_bus_values_see_where_they_are() -> None:
    path = CONFIGS[0].with_name("openlane_r50.py")
    model, clip = small_model(path).eval(), random_clip()
    batch = model.data_preprocessor({"inputs": clip}, False)["inputs"]
    with torch.no_grad():
        here = model.extract_features(batch).bev.map
        batch.can_bus[:, :, :3] += 10
        assert not torch.allclose(model.extract_features(batch).bev.map, here)
    batch.can_bus = None
    with pytest.raises(ValueError, match="takes CAN bus values, but the clip has none"):
        model.extract_features(batch)
