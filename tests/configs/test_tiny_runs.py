"""Every config trains one step from files when its sizes are cut down on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, FUNCTIONS, METRICS, MODELS
from small_configs import SMALL_LANES, build_optim_wrapper, small_backbone
from tiny_nuscenes import write_pictures, write_tables
from tiny_openlane import centerlines, write_openlane

import bev
from bev.datasets.index_io import read_index, write_index
from bev.datasets.nuscenes.index_build import build_indexes
from bev.datasets.occ3d import GRID, OccupancyLabels, label_path, write_labels
from bev.datasets.openlane_v2.annotations import Fields, read_topology
from bev.datasets.openlane_v2.index_build import build_indexes as build_lane_indexes
from bev.engine.config import load_config
from bev.engine.data_config import set_data_root
from bev.models.perceptor import BEVPerceptor

CONFIGS = Path(__file__).parents[2] / "configs"
OPENLANE = sorted(path for path in CONFIGS.glob("openlane_*.py") if "nano" not in path.stem)
PUBLISHED = sorted(
    path for path in set(CONFIGS.glob("*.py")) - set(OPENLANE) if "waymo" not in path.stem and "mixed" not in path.stem
)

# What a user would pass with --cfg-options to see a big config run on a laptop.
SMALL = {
    "model.encoder.grid.shape": (12, 10),
    "model.encoder.num_layers": 1,
    "model.heads.detection.decoder.num_layers": 2,
    "model.heads.detection.decoder.queries.num_queries": 20,
}
SMALL_PUBLISHED = {
    "model.heads.detection.decoder.queries.num_groups": 2,
    "train_dataloader.dataset.pipeline.2.heights": [64],
}
SMALL_CLIP = {
    "train_dataloader.dataset.frame_offsets": (-1, 0),
    "model.temporal.num_frames": 2,
    "model.temporal.hidden_dims": 64,
}
SMALL_RECURRENT = {
    "model.temporal.grid.shape": (12, 10),
    "train_dataloader.dataset.pipeline.2.heights": [64],
    "train_dataloader.dataset.frame_offsets": (-1, 0),
}
SMALL_OCCUPANCY = {
    "train_dataloader.dataset.pipeline.3.heights": [64],
    "train_dataloader.dataset.frame_offsets": (-1, 0),
    "model.temporal.grid.shape": (12, 10),
}
LANE_INDEX = "openlane_v2_B_infos_mini.pkl"


@pytest.fixture(scope="module")
def tiny_root(tmp_path_factory) -> Path:
    """A release of two scenes with pictures of noise, and its index."""
    bev.register_all()
    root = write_tables(tmp_path_factory.mktemp("nuscenes"))
    build_indexes(root, "v1.0-mini")
    write_occupancy(root)
    write_lanes(root)
    return write_pictures(root)


def write_occupancy(root: Path) -> None:
    """Labels of noise for every sample."""
    for record in read_index(root / "nuscenes_infos_mini_val.pkl")["data_list"]:
        generator = np.random.default_rng(0)
        semantics = generator.integers(0, 18, GRID.shape, dtype=np.uint8)
        seen = generator.random(GRID.shape) < 0.3
        write_labels(label_path(root, "scene", record["token"]), OccupancyLabels(semantics, seen, seen))


def write_lanes(root: Path) -> None:
    """Lanes and traffic elements for every sample, as an index of subset B."""
    topology = read_topology(Fields(centerlines(0), "tiny"))
    records = [
        {
            "token": f"train/tiny/{number}",
            "timestamp": record["images"]["CAM_FRONT"]["timestamp"],
            "ego2global": record["ego2global"],
            "lane_topology": topology,
        }
        for number, record in enumerate(read_index(root / "nuscenes_infos_mini_val.pkl")["data_list"])
    ]
    write_index(root / LANE_INDEX, {"dataset": "openlane_v2", "version": "B"}, records)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_one_training_step(path, tiny_root):
    overrides = {
        **SMALL,
        "train_dataloader.dataset.data_root": str(tiny_root),
        "train_dataloader.dataset.ann_file": "nuscenes_infos_mini_val.pkl",
    }
    has_boxes = not path.stem.startswith(("occupancy", "openlane"))
    if not has_boxes:
        overrides = {key: value for key, value in overrides.items() if "detection" not in key}
    if "lane" in path.stem:
        overrides["train_dataloader.dataset.lanes"] = LANE_INDEX
    if "nano" in path.stem and "bevformerv2" not in path.stem:
        step = 1 if path.stem.startswith("openlane") else 2
        overrides[f"train_dataloader.dataset.pipeline.{step}.crop"] = (0, 300, 1600, 900)
    elif not has_boxes:
        overrides |= SMALL_OCCUPANCY
        overrides |= small_backbone(path.stem)
    elif "bevformerv2" not in path.stem:
        overrides |= SMALL_RECURRENT
    elif "nano" not in path.stem:
        overrides |= SMALL_PUBLISHED
        overrides |= {} if "_t1" in path.stem else SMALL_CLIP
        overrides |= small_backbone(path.stem)
    else:
        overrides["train_dataloader.dataset.pipeline.1.crop"] = (0, 300, 1600, 900)
    if "two_stage" in path.stem:
        overrides["model.heads.detection.decoder.queries.base.num_queries"] = overrides.pop(
            "model.heads.detection.decoder.queries.num_queries"
        )
    config = load_config(path, overrides)
    trains_one_step(config)


def trains_one_step(config: Config) -> BEVPerceptor:
    """Makes a step from two samples of a config's training set, after which nearly all parameters are others."""
    config.optim_wrapper.optimizer.setdefault("lr", 1e-4)
    torch.manual_seed(0)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    model = MODELS.build(config.model).train()
    optimizer = build_optim_wrapper(model, config)
    batch = FUNCTIONS.get("collate_clips")([dataset[1], dataset[2]])
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    total, losses = model.parse_losses(model(**model.data_preprocessor(batch, True), mode="loss"))
    assert torch.isfinite(total), losses
    optimizer.backward(total)
    still = [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None]
    assert not still, f"parameters without gradient: {still[:5]}"
    optimizer.step()
    moved = [name for name, value in model.named_parameters() if not torch.equal(value, before[name])]
    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    # Where no image shows an object, the perspective head's branches for boxes have nothing to learn from.
    trained = [name for name in trained if not name.startswith("heads.perspective.")]
    assert len(set(moved) & set(trained)) > 0.9 * len(trained)
    return model


@pytest.fixture(scope="module")
def lane_root(tmp_path_factory) -> Path:
    """OpenLane-V2's subset A in small, and its indexes."""
    bev.register_all()
    root = write_openlane(tmp_path_factory.mktemp("openlane"))
    build_lane_indexes(root, "A")
    return root


@pytest.mark.parametrize("path", OPENLANE, ids=lambda path: path.stem)
def test_lane_configs_train_a_step_and_are_judged(path, lane_root):
    overrides = {
        **SMALL_LANES,
        **small_backbone(path.stem),
        "train_dataloader.dataset.pipeline.2.size": (64, 96),
        "val_dataloader.dataset.pipeline.1.size": (64, 96),
    }
    config = load_config(path, overrides)
    set_data_root(config, lane_root)
    model = trains_one_step(config).eval()
    dataset, metric = DATASETS.build(config.val_dataloader.dataset), METRICS.build(config.val_evaluator)
    for number in range(len(dataset)):
        with torch.no_grad():
            found = model.test_step(FUNCTIONS.get("collate_clips")([dataset[number]]))
        metric.process(None, [sample.to_dict() for sample in found])
    scores = metric.evaluate(len(dataset))
    assert 0 <= scores["openlane/OLS"] <= 1


@pytest.mark.parametrize(
    ("name", "backbone_millions"),
    [("t", 30), ("s", 50), ("b", 97), ("l", 223), ("xl", 335)],
)
def test_full_size_backbones_have_the_published_number_of_parameters(name, backbone_millions):
    config = load_config(CONFIGS / f"bevformerv2_internimage_{name}.py")
    with torch.device("meta"):
        model = MODELS.build(config.model)
    count = sum(parameter.numel() for parameter in model.backbone.parameters()) / 1e6
    # The published figure includes a classification head of 2 to 6 million parameters.
    assert 0.94 * backbone_millions < count < backbone_millions
