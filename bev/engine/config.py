"""Configs: loading with overrides, and a check of every key before anything is built.

A misspelt key is the commonest mistake with config files. mmengine merges an unknown override silently and reports an
unknown argument only when that object is built, minutes into a start. `load_config` finds all of them at once.
"""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import root
from mmengine.registry.registry import Registry
from mmengine.runner import Runner

# Keys that the registry, the runner or a wrapper takes out before the class sees the rest.
CONSUMED_KEYS = {
    "type", "_scope_", "_delete_", "priority", "init_cfg", "constructor", "paramwise_cfg", "clip_grad", "loss_scale",
    "accumulative_counts", "dtype", "requires_grad",
}  # fmt: skip


DATA_KEYS = [f"{split}_{part}" for split in ("train", "val", "test") for part in ("dataloader", "evaluator")]
"""Entries of a config that name folders of data."""


class ConfigError(ValueError):
    """A config file or override that cannot be used; the message names the file and every wrong key."""


def load_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a config file, apply dotted overrides and check all keys.

    Args:
        path: A config file (`.py`).
        overrides: Dotted key -> value as from `--cfg-options model.encoder.num_layers=2`.

    Raises:
        ConfigError: If the file is missing, an override names a key that does not exist, or an object has an
            argument that its class does not take.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"config file {path} does not exist")
    config = Config.fromfile(path)
    problems = [problem for key in overrides or {} if (problem := unknown_override(config, key))]
    if not problems:
        config.merge_from_dict(dict(overrides or {}))
        problems = list(unknown_arguments(config._cfg_dict, ""))
    if problems:
        raise ConfigError(f"{path}: " + "; ".join(problems))
    return config


def set_data_root(config: Config, root: str | Path) -> None:
    """Point every `data_root` of a config, of datasets and of metrics, at another folder, in place.

    Where the config reads several data sets, from data/a and data/b, the folder stands for what these have in common:
    they become ROOT/a and ROOT/b.
    """
    roots = {
        owner["data_root"] for key in DATA_KEYS if key in config for owner in _data_owners(config._cfg_dict[key])
    }
    common = os.path.commonpath(roots) if len(roots) > 1 else None
    for owner in _data_owners(config._cfg_dict):
        if common is None:
            owner["data_root"] = str(root)
        elif owner["data_root"] in roots:
            owner["data_root"] = str(Path(root, os.path.relpath(owner["data_root"], common)))


def test_dataset(config: Config) -> Any:
    """Config of the data set that is evaluated; of the first one where there are several."""
    dataset = config.test_dataloader.dataset
    return dataset.datasets[0] if "datasets" in dataset else dataset


test_dataset.__test__ = False  # type: ignore[attr-defined]  # a function about evaluation, no test


def _data_owners(node: Any) -> Iterator[dict]:
    """All dicts below a node that have a `data_root`."""
    if isinstance(node, dict):
        if "data_root" in node:
            yield node
        for value in node.values():
            yield from _data_owners(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _data_owners(value)


def unknown_override(config: Config, key: str) -> str | None:
    """Say what is wrong with a dotted override, or None if it names a key that exists or that its class accepts."""
    node: Any = config._cfg_dict
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if isinstance(node, (list, tuple)):
            if not part.isdigit() or int(part) >= len(node):
                return f"override {key}: {'.'.join(parts[:depth])} is a list of {len(node)}, {part!r} is no index of it"
            node = node[int(part)]
        elif isinstance(node, Mapping):
            if part not in node:
                return _missing_key(node, key, parts, depth)
            node = node[part]
        else:
            return f"override {key}: {'.'.join(parts[:depth])} is a value, not a dict"
    return None


def _missing_key(node: Mapping, key: str, parts: list[str], depth: int) -> str | None:
    part = parts[depth]
    known = sorted(map(str, node))
    if depth == 0:
        known += [name for name in inspect.signature(Runner.__init__).parameters if name != "self"]
        known += ["auto_scale_lr", "find_unused_parameters", "sync_bn", "model_wrapper_cfg"]
        accepted = part in known
    else:
        arguments = accepted_arguments(node)
        accepted = arguments is None if "type" in node else False
        if arguments is not None:
            known += sorted(arguments)
            accepted = part in arguments
    if accepted:
        return None
    return f"override {key}: no key {part!r} in {'.'.join(parts[:depth]) or 'the config'}{_suggestion(part, known)}"


def unknown_arguments(node: Any, where: str) -> Iterator[str]:
    """Yield a sentence for each argument in the tree that the class named by `type` does not take."""
    if isinstance(node, Mapping):
        arguments = accepted_arguments(node)
        for key, value in node.items():
            place = f"{where}.{key}" if where else str(key)
            if arguments is not None and key not in arguments and key not in CONSUMED_KEYS:
                yield f"{place}: {node['type']} has no argument {key!r}{_suggestion(str(key), sorted(arguments))}"
            yield from unknown_arguments(value, place)
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from unknown_arguments(value, f"{where}.{index}")


def accepted_arguments(node: Mapping) -> set[str] | None:
    """Names of the arguments of the registered class `node['type']`; None if unknown or if it takes any keyword."""
    kind = node.get("type")
    target = _find_registered(kind) if isinstance(kind, str) else kind if callable(kind) else None
    if target is None:
        return None
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name for parameter in parameters}


def _find_registered(name: str) -> Any:
    """Class that a bare type name means: the one registered in a root registry by this project or by mmengine."""
    for registry in vars(root).values():
        if isinstance(registry, Registry) and name in registry.module_dict:
            return registry.module_dict[name]
    return None


def _suggestion(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=3)
    if close:
        return f" (did you mean {' or '.join(close)}?)"
    return f" (it has: {', '.join(dict.fromkeys(known))})"
