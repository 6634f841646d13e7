"""The Waymo configs train a step on made segments, and the nano one evaluates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, FUNCTIONS, METRICS, MODELS
from small_configs import small_backbone
from tiny_waymo import write_release

import bev
from bev.datasets.waymo.index_build import build_indexes
from bev.engine.config import load_config
from bev.engine.data_config import set_data_root

CONFIGS = Path(__file__).parents[2] / "configs"
NANO = CONFIGS / "bevformerv2_internimage_nano_waymo_synthetic.py"
PLUS_PLUS = sorted(CONFIGS.glob("bevformer_plus_plus_*.py"))
SMALL = {
    "model.encoder.grid.shape": (12, 10),
    "model.temporal.grid.shape": (12, 10),
    "model.encoder.num_layers": 1,
    "model.heads.detection.decoder.num_layers": 2,
    "model.heads.detection.decoder.queries.num_queries": 20,
    "train_dataloader.dataset.interval": 1,
    "train_dataloader.dataset.frame_offsets": (-2, -1, 0),
}
MILLIONS = {"r101": 44, "internimage_t": 30, "internimage_b": 97, "internimage_xl": 335}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bev.register_all()
    root = write_release(tmp_path_factory.mktemp("waymo"))
    build_indexes(root)
    return root


def test_a_step_and_an_evaluation(root: Path) -> None:
    config = load_config(NANO, {"model.encoder.grid.shape": (12, 12)})
    set_data_root(config, root)
    torch.manual_seed(0)
    model = MODELS.build(config.model).train()
    training = DATASETS.build(config.train_dataloader.dataset)
    batch = FUNCTIONS.get("collate_clips")([training[0], training[1]])
    total, losses = model.parse_losses(model(**model.data_preprocessor(batch, True), mode="loss"))
    assert torch.isfinite(total), losses
    total.backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    held_out = DATASETS.build(config.val_dataloader.dataset)
    metric = METRICS.build(config.val_evaluator)
    metric.dataset_meta = held_out.metainfo
    model.eval()
    for number in range(len(held_out)):
        batch = FUNCTIONS.get("collate_clips")([held_out[number]])
        with torch.no_grad():
            samples = model(**model.data_preprocessor(batch, False), mode="predict")
        metric.process(None, [sample.to_dict() for sample in samples])
    numbers = metric.evaluate(len(held_out))
    assert 0 <= numbers["waymo/LET-3D-APL"] <= numbers["waymo/LET-3D-AP"] <= 1


@pytest.mark.parametrize("path", PLUS_PLUS, ids=lambda path: path.stem)
def test_a_step_of_the_large_models_in_small(path: Path, root: Path) -> None:
    config = load_config(path, SMALL | small_backbone(path.stem))
    set_data_root(config, root)
    torch.manual_seed(0)
    model = MODELS.build(config.model).train()
    training = DATASETS.build(config.train_dataloader.dataset)
    batch = FUNCTIONS.get("collate_clips")([training[2]])
    assert batch["inputs"].num_frames == 2  # one of the history is left out
    total, losses = model.parse_losses(model(**model.data_preprocessor(batch, True), mode="loss"))
    assert torch.isfinite(total), losses
    assert {"detection.loss_bbox", "perspective.loss_cls"} <= {name.split("/")[-1] for name in losses}
    total.backward()
    still = [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None]
    assert not still, f"parameters without gradient: {still[:5]}"


def test_the_views_of_test_time_augmentation(root: Path) -> None:
    config = load_config(CONFIGS / "bevformer_plus_plus_r101_waymo.py", {"val_dataloader.dataset.interval": 1})
    set_data_root(config, root)
    dataset = DATASETS.build({**config.val_dataloader.dataset, "pipeline": config.tta_pipeline})
    batch = FUNCTIONS.get("collate_clips")([dataset[2]])
    assert [clip.padded_size for clip in batch["inputs"]] == [(115, 173)] * 2 + [(128, 192)] * 2 + [(141, 211)] * 2
    assert [samples[0].metainfo.get("aug_T_bev") is None for samples in batch["data_samples"]] == [True, False] * 3
    plain, mirrored = batch["inputs"][2:4]
    left, right = (list(dataset.metainfo["camera_names"]).index(f"SIDE_{side}") for side in ("LEFT", "RIGHT"))
    height, width = plain.image_sizes[0, -1, left].tolist()
    seen = mirrored.images[0, -1, right, :, :height, :width]
    assert torch.equal(seen, plain.images[0, -1, left, :, :height, :width].flip(-1))


@pytest.mark.parametrize("path", PLUS_PLUS, ids=lambda path: path.stem)
def test_the_large_models_in_full_size(path: Path) -> None:
    """Range, cells, classes and queue of the published baseline."""
    bev.register_all()
    config = load_config(path)
    with torch.device("meta"):
        model = MODELS.build(config.model)
    grid = model.encoder.grid
    np.testing.assert_allclose(grid.bounds, (-35, -75, -3, 75, 75, 4))
    np.testing.assert_allclose(grid.cell_size, (0.5, 0.5))
    assert model.heads["detection"].num_classes == len(config.classes) == 3
    published = MILLIONS[path.stem.removeprefix("bevformer_plus_plus_").removesuffix("_waymo")]
    count = sum(parameter.numel() for parameter in model.backbone.parameters()) / 1e6
    assert 0.94 * published < count < 1.02 * published
    for split in ("train", "val"):
        dataset = config[f"{split}_dataloader"].dataset
        assert len(dataset.frame_offsets) - dataset.get("drop_history", 0) == 4
    assert config.param_scheduler[1].T_max == config.train_cfg.max_epochs
