"""Configs: loading with overrides, and a check of every key before anything is built.

A misspelt key is the commonest mistake with config files. mmengine merges an unknown override silently and reports an
unknown argument only when that object is built, minutes into a start. `load_config` finds all of them at once.

Configs of other OpenMMLab packages work alike: they name their package as `default_scope`, whose classes come first
when a `type` is looked up, and this project's and mmengine's second. Code that belongs to one project alone is named in
the config's `custom_imports`, as `projects.TASK.MODULE`.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.config.utils import ConfigParsingError
from mmengine.registry import DefaultScope, root
from mmengine.registry.registry import Registry
from mmengine.utils import import_modules_from_strings

from bev.datasets.text_files import one_line, shorten
from bev.engine.untyped_nodes import extra_keys, free_name, is_untyped
from bev.errors import InputError

# Keys that the registry, the runner or a wrapper takes out before the class sees the rest.
CONSUMED_KEYS = {
    "type", "_scope_", "_delete_", "priority", "init_cfg", "constructor", "paramwise_cfg", "clip_grad", "loss_scale",
    "accumulative_counts", "dtype", "requires_grad",
}  # fmt: skip
ROOT_SCOPE = "mmengine"  # where this project's classes are registered
PACKAGES = ("mmdet", "mmdet3d", "mmseg", "mmpretrain")  # whose configs may be used
LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")
PROJECTS = "projects"
LEAST = (
    *((loader, key, least) for loader in LOADERS for key, least in (("batch_size", 1), ("num_workers", 0))),
    *(("train_cfg", key, 1) for key in ("max_epochs", "max_iters", "val_interval")),
    ("randomness", "seed", 0),
)


class ConfigError(InputError):
    """A config file or override that cannot be used; the message names the file and every wrong key."""


def load_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a config file, apply dotted overrides and check all keys.

    For a config under a folder `projects`, that becomes importable as a package.

    Args:
        path: A config file (`.py`).
        overrides: Dotted key -> value as from `--cfg-options model.encoder.num_layers=2`.

    Raises:
        ConfigError: If the file is missing, cannot be read as a config, or sets nothing; if an override names a key
            that does not exist, an object has an argument that its class does not take, or a number can't be.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"config file {path} does not exist")
    _make_projects_importable(path)
    config = _read(path)
    _register_package(scope_of(config))
    problems = []
    for group in _in_order(overrides or {}):
        wrong = [problem for key in group if (problem := unknown_override(config, key))]
        problems += wrong
        if not wrong:
            _merge(config, group, path)
    if not problems:
        problems = [*unknown_arguments(config._cfg_dict, "", scope_of(config)), *impossible_numbers(config)]
    if problems:
        raise ConfigError(f"{path}: " + "; ".join(problems))
    return config


def _in_order(overrides: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Overrides in groups, each of which tells what the next may hold: modules to import, types, and all others."""
    groups: list[dict[str, Any]] = [{}, {}, {}]
    for key, value in overrides.items():
        groups[0 if key.startswith("custom_imports") else 1 if key.endswith(".type") else 2][key] = value
    return groups


def _merge(config: Config, overrides: dict[str, Any], path: Path) -> None:
    config.merge_from_dict(overrides)
    if any(key.startswith("custom_imports") for key in overrides):
        try:
            import_modules_from_strings(**{"imports": None, **(config.custom_imports or {})})
        except (ImportError, TypeError) as error:
            raise ConfigError(f"{path}: custom_imports: {one_line(error)}") from error


def _read(path: Path) -> Config:
    try:
        config = Config.fromfile(path)
    except (ConfigParsingError, ImportError, KeyError, NameError, SyntaxError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not a config ({type(error).__name__}: {one_line(error)})") from error
    if not config._cfg_dict:
        raise ConfigError(f"{path}: not a config: it sets nothing")
    return config


def scope_of(config: Config) -> str:
    """Package whose classes a config's types mean first."""
    return config.get("default_scope") or ROOT_SCOPE


def scope(config: Config) -> AbstractContextManager[None]:
    """Inside this context registries build what the config's types mean, as its runner does.

    Example:
        >>> with scope(config), torch.device("meta"):
        ...     model = MODELS.build(config.model)
    """
    _register_package(scope_of(config))
    return DefaultScope.overwrite_default_scope(scope_of(config))


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
            if part in node:
                node = node[part]
                continue
            if problem := _missing_key(config, node, key, depth):
                return problem
            if not is_untyped(parts[: depth + 1], config):
                return None
            node = {}
        else:
            return f"override {key}: {'.'.join(parts[:depth])} is a value, not a dict"
    return None


def _missing_key(config: Config, node: Mapping, key: str, depth: int) -> str | None:
    parts = key.split(".")
    part = parts[depth]
    known = sorted({*map(str, node), *extra_keys(parts[:depth], config)})
    if depth == 0:
        from mmengine.runner import Runner  # imports torch and more: too slow for who only reads a command line

        known += inspect.signature(Runner).parameters
        known += ["auto_scale_lr", "find_unused_parameters", "sync_bn", "model_wrapper_cfg", "custom_imports"]
        accepted = part in known
    elif depth == 1 and parts[0] in LOADERS:
        from torch.utils.data import DataLoader

        known += [*inspect.signature(DataLoader).parameters, "num_batch_per_epoch"]  # mmengine's runner takes the last
        accepted = part in known
    else:
        arguments = accepted_arguments(node, scope_of(config))
        known += sorted(arguments or ())
        takes_all = "type" in node and arguments is None
        accepted = takes_all or part in known or free_name(parts[: depth + 1], parts[depth + 1 :])
    if accepted:
        return None
    return f"override {key}: no key {part!r} in {'.'.join(parts[:depth]) or 'the config'}{_suggestion(part, known)}"


def unknown_arguments(node: Any, where: str, scope: str = ROOT_SCOPE) -> Iterator[str]:
    """Yield a sentence for each argument in the tree that the class named by `type` does not take."""
    if isinstance(node, Mapping):
        scope = node.get("_scope_") or scope
        arguments = accepted_arguments(node, scope)
        for key, value in node.items():
            place = f"{where}.{key}" if where else str(key)
            if arguments is not None and key not in arguments and key not in CONSUMED_KEYS:
                yield f"{place}: {node['type']} has no argument {key!r}{_suggestion(str(key), sorted(arguments))}"
            yield from unknown_arguments(value, place, scope)
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from unknown_arguments(value, f"{where}.{index}", scope)


def impossible_numbers(config: Config) -> Iterator[str]:
    """Yield a sentence for each number that mmengine or torch would refuse far from its name, or take for none."""
    for part, key, least in LEAST:
        node = config.get(part)
        value = node.get(key) if isinstance(node, Mapping) else None
        if value is not None and (not isinstance(value, int) or value < least):
            yield f"{part}.{key}: expected a whole number of at least {least}, not {shorten(value)}"


def accepted_arguments(node: Mapping, scope: str = ROOT_SCOPE) -> set[str] | None:
    """Names of the arguments of the registered class `node['type']`; None if unknown or if it takes any keyword.

    A name that means several classes (a layer and a transform, say) takes what any of them takes.
    """
    kind = node.get("type")
    targets = find_registered(kind, scope) if isinstance(kind, str) else [kind] if callable(kind) else []
    names: set[str] = set()
    for target in targets:
        try:
            parameters = inspect.signature(target).parameters.values()
        except (TypeError, ValueError):
            return None
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return None
        names.update(parameter.name for parameter in parameters)
    return names if targets else None


def find_registered(name: str, scope: str = ROOT_SCOPE) -> list[Any]:
    """Classes that a type may mean in a scope: those of that package, or else those of this project and mmengine.

    Args:
        name: Such as "Resize", or "mmdet.Resize" for another package's.
        scope: Package that a bare name means.
    """
    package, _, bare = name.rpartition(".")
    if package in PACKAGES:
        scope, name = package, bare
        _register_package(package)
    registries = [registry for registry in vars(root).values() if isinstance(registry, Registry)]
    scoped = [child for registry in registries if (child := registry.children.get(scope)) is not None]
    for group in (scoped, registries):
        found = [registry.module_dict[name] for registry in group if name in registry.module_dict]
        if found:
            return found
    return []


def _register_package(name: str) -> None:
    """Import all that an OpenMMLab package registers."""
    if name in PACKAGES:
        importlib.import_module(f"{name}.utils").register_all_modules(init_default_scope=False)


def _make_projects_importable(path: Path) -> None:
    """Put the folder that holds `projects` on the search path, last, for a config under it."""
    for folder in path.resolve().parents:
        if folder.name == PROJECTS and str(folder.parent) not in sys.path:
            sys.path.append(str(folder.parent))


def _suggestion(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=3)
    if close:
        return f" (did you mean {' or '.join(close)}?)"
    return f" (it has: {', '.join(dict.fromkeys(known))})"
