"""Every config of every project: all keys and types exist, and its model, transforms and optimizer can be built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, TRANSFORMS

from bev.engine.config import find_registered, load_config, scope, scope_of
from bev.engine.size_report import published

pytestmark = pytest.mark.usefixtures("registered")
ROOT = Path(__file__).parents[2]
CONFIGS = sorted(ROOT.glob("projects/*/configs/*.py"))
LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def config(request: pytest.FixtureRequest) -> Config:
    """One project's config, all of whose keys have been checked."""
    return load_config(request.param)


def datasets(node: Mapping) -> Iterator[Mapping]:
    """A data set and those that it wraps."""
    yield node
    for inner in (node.get("dataset"), *(node.get("datasets") or ())):
        if inner is not None:
            yield from datasets(inner)


def as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def test_every_type_is_registered(config: Config) -> None:
    named = [(loader, node) for loader in LOADERS for node in datasets(config[loader].dataset)]
    named += [(key, node) for key in ("val_evaluator", "test_evaluator") for node in as_list(config[key])]
    named += [("custom_hooks", node) for node in config.custom_hooks]
    named += [("default_hooks", node) for node in config.default_hooks.values()]
    named += [("param_scheduler", node) for node in as_list(config.param_scheduler)]
    unknown = [f"{place}: {node.type}" for place, node in named if not find_registered(node.type, scope_of(config))]
    assert unknown == []


def test_transforms_are_built(config: Config) -> None:
    pipelines = [node.pipeline for loader in LOADERS for node in datasets(config[loader].dataset) if "pipeline" in node]
    assert pipelines
    with scope(config):
        for step in (step for pipeline in pipelines for step in pipeline):
            TRANSFORMS.build(step)


def test_model_and_optimizer_are_built(config: Config) -> None:
    with scope(config), torch.device("meta"):
        model = MODELS.build(config.model)
        wrapper = build_optim_wrapper(model, config.optim_wrapper)
    grouped = sum(value.numel() for group in wrapper.optimizer.param_groups for value in group["params"])
    assert grouped == sum(value.numel() for value in model.parameters() if value.requires_grad) > 0


def test_what_was_published_is_understood(config: Config) -> None:
    assert published(config)["source"] or not config.get("published")
