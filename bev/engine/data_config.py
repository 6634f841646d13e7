"""What a config says of its data sets: where they lie, which one is evaluated, in which frame a model is trained."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from bev.errors import InputError

DATA_KEYS = [f"{split}_{part}" for split in ("train", "val", "test") for part in ("dataloader", "evaluator")]
"""Entries of a config that name folders of data."""
OBJECT_HEADS = ("BEVDetectionHead", "DD3DHead", "ImagePlaneHead")
"""Heads that learn the objects of the data sets' classes."""


def set_data_root(config: Config, root: str | Path) -> None:
    """Point a config at another data folder, in place.

    Args:
        config: A whole experiment, or what defines its data.
        root: Becomes every `data_root`, of data sets and of metrics, and takes its place in paths that start with one,
            such as a metric's `ann_file`. Where the config reads several data sets, from data/a and data/b, it stands
            for what these have in common: they become ROOT/a and ROOT/b.
    """
    data = {key: config._cfg_dict[key] for key in DATA_KEYS if key in config}
    roots = _data_roots(data) or _data_roots(config._cfg_dict)
    base = os.path.commonpath(roots) if len(roots) > 1 else None
    root = str(root).rstrip("/") or "/"  # may be an address: no path arithmetic on it
    for owner, key, value in _strings(config._cfg_dict):
        if key == "data_root":
            old, rest = value.rstrip("/"), ""
        else:
            old = next((old for old in roots if value.startswith(f"{old}/")), "")
            rest = value[len(old) :]
        if old in roots:
            owner[key] = (root if base is None else f"{root}/{os.path.relpath(old, base)}") + rest
        elif key == "data_root" and base is None:
            owner[key] = root


def evaluated_datasets(config: Config) -> list[Any]:
    """Configs of the data sets that are evaluated."""
    dataset = config.test_dataloader.dataset
    return list(dataset.datasets) if "datasets" in dataset else [dataset]


def evaluated_dataset(config: Config) -> Any:
    """Config of the data set that is evaluated; of the first one where there are several."""
    return evaluated_datasets(config)[0]


def bev_frame(dataset: Mapping[str, Any]) -> str:
    """'lidar' or 'ego', the frame that a data set's config trains a model in."""
    return dataset.get("bev_frame") or ("lidar" if dataset["type"] == "NuScenesClipDataset" else "ego")


def check_class_counts(config: Config) -> None:
    """Check that all that detects objects was built for the classes of the data sets.

    Raises:
        InputError: If a head or its queries have another number; names the entry.
    """
    nodes = [(f"model.heads.{name}", head) for name, head in (config.get("model") or {}).get("heads", {}).items()]
    counts = [found for where, head in nodes if head.get("type") in OBJECT_HEADS for found in _counts(head, where)]
    for key in DATA_KEYS:
        for dataset in _with_classes(config.get(key)):
            for where, count in counts:
                if count != len(dataset["classes"]):
                    raise InputError(
                        f"{where} is {count}, but the {len(dataset['classes'])} classes of {key} are "
                        f"{', '.join(dataset['classes'])}: let both be the same"
                    )


def _counts(node: Any, where: str) -> Iterator[tuple[str, int]]:
    """Where below a part of a model a number of classes stands, and the number."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "num_classes":
                yield f"{where}.{key}", value
            else:
                yield from _counts(value, f"{where}.{key}")


def _with_classes(node: Any) -> Iterator[Mapping[str, Any]]:
    """All data sets at or below a node that name their classes."""
    if isinstance(node, Mapping):
        if node.get("classes"):
            yield node
        yield from (found for value in node.values() for found in _with_classes(value))
    elif isinstance(node, (list, tuple)):
        yield from (found for value in node for found in _with_classes(value))


def _data_roots(node: Any) -> list[str]:
    """All data roots below a node, without a slash at the end; the longest first, which may lie inside others."""
    roots = {value.rstrip("/") for _, key, value in _strings(node) if key == "data_root" and value.strip("/.")}
    return sorted(roots, key=len, reverse=True)


def _strings(node: Any) -> Iterator[tuple[Any, Any, str]]:
    """All strings below `node` that can be replaced: container, key or index, string."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, (list, tuple)) else ()
    for key, value in list(items):
        if isinstance(value, str):
            if not isinstance(node, tuple):
                yield node, key, value
        else:
            yield from _strings(value)
