"""Reading checkpoints: files of our own, of mmengine, and of the official repositories.

Files are never unpickled freely: see `bev.engine.safe_globals`. `load_weights` finds the weights in any of the usual
layouts and says what it did with every key.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlparse

import torch
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.model.weight_init import update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint
from torch import nn

from bev.datasets.text_files import shorten
from bev.engine.official import ConversionReport, convert_official, export_official
from bev.engine.safe_globals import allow_safe_globals
from bev.errors import InputError

__all__ = [
    "CheckpointError",
    "ConversionReport",
    "LoadReport",
    "SafePretrained",
    "convert_official",
    "export_official",
    "load_from_local",
    "load_url",
    "load_weights",
    "read_weights",
    "register_safe_checkpoint_loader",
    "safe_load",
]

PLAIN_ENTRIES = ("state_dict", "model", "module")
EMA_ENTRIES = ("model_ema", "state_dict_ema", "ema_state_dict")
WRAPPER_PREFIX = "module."
SAFETENSORS = ".safetensors"
EMA_COUNTER = "steps"  # kept by mmengine's averaged models beside the weights
LISTED_KEYS = 20
DAMAGE = re.compile(r"PytorchStreamReader|corrupted|wrong byte size|[Ii]nvalid magic number|unexpected EOF")

MapLocation = Any  # whatever torch.load takes


class CheckpointError(InputError):
    """A checkpoint that can't be read or doesn't fit.

    Attributes:
        report: What became of every key, if the file could be read.
    """

    def __init__(self, message: str, report: LoadReport | None = None) -> None:
        super().__init__(message)
        self.report = report


@dataclass(frozen=True)
class LoadReport:
    """What became of every key of a checkpoint and of the module that it was loaded into.

    Attributes:
        source: The file, and the entry in it that the weights were taken from.
        prefix: What was taken off the file's keys.
        loaded: Keys of the module that got the file's values.
        missing: Keys of the module that the file lacks.
        unexpected: Keys of the file that the module has no place for.
        mismatched: Keys that differ in shape, with the file's and the module's.
        skipped: Keys of the file outside `prefix`, and keys left out on request.
    """

    source: str
    prefix: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    skipped: tuple[str, ...]

    def __str__(self) -> str:
        shapes = [f"{key} {list(in_file)} instead of {list(own)}" for key, in_file, own in self.mismatched]
        lines = [
            f"{self.source}: {len(self.loaded)} keys loaded",
            *_listing("of another shape", shapes),
            *_listing("missing in the file", self.missing),
            *_listing("unused", self.unexpected),
            *_listing("skipped", self.skipped),
        ]
        return "\n  ".join(lines)


def safe_load(path: str | Path, map_location: MapLocation = "cpu", allow: Iterable[type] = ()) -> Any:
    """Read a checkpoint without running code from it.

    Args:
        path: A local file written by `torch.save`, or a `.safetensors` file.
        map_location: Where tensors go, as in `torch.load`.
        allow: Classes to accept beside the usual ones (see `bev.engine.safe_globals`).

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it is cut short, no checkpoint, or holds objects that aren't allowed.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint {path} doesn't exist")
    if path.suffix == SAFETENSORS:
        return _load_safetensors(path, map_location)
    try:
        with allow_safe_globals(allow):
            return torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:
        if not _is_about_content(error):
            raise
        raise CheckpointError(_explain(path, str(error))) from error


def load_weights(
    module: nn.Module,
    source: str | Path | Mapping[str, Any],
    *,
    strict: bool = False,
    prefix: str | None = None,
    prefer_ema: bool = True,
    ignore: Sequence[str] = (),
) -> LoadReport:
    """Load weights into a module from a checkpoint in any of the usual layouts.

    Weights are looked for under `state_dict`, `model` and `module`, or at the top level, and moving averages under
    `model_ema`, `state_dict_ema` and `ema_state_dict`. `module.` in front of keys, left by data-parallel training, is
    taken off. The module is changed only if the checkpoint fits.

    Args:
        module: Gets the weights, on its own device and in its own precision.
        source: A file, or what `safe_load` returned for one.
        strict: Refuse missing and unused keys too.
        prefix: Load what follows this in the file's keys, such as `"backbone."`. By default the prefix (or none)
            under which most of the module's keys are found.
        prefer_ema: Take the moving average of the weights where the file has one.
        ignore: Beginnings of module keys that keep their present values, such as `"head."`.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file can't be read, a key differs in shape, no key fits, a weight is no array of numbers
            that the module can take, or `strict` is violated.
    """
    content = source if isinstance(source, Mapping) else safe_load(source)
    label = "checkpoint" if isinstance(source, Mapping) else str(source)
    module = cast(nn.Module, module.module) if is_model_wrapper(module) else module
    own = {key: value for key, value in module.state_dict().items() if isinstance(value, torch.Tensor)}
    entry, weights = _select_entry(content, label, prefer_ema)
    weights = _unwrap(_tensors(weights, label, any(value.is_meta for value in own.values())), own)
    prefix = _find_prefix(weights, own, label) if prefix is None else prefix
    selection = _Selection(weights, prefix, (ignore,) if isinstance(ignore, str) else tuple(ignore))
    report = selection.compare(own, f"{label} [{entry}]" if entry else label)
    _check(report, strict, weights, own)
    _check_values({key: selection.chosen[key] for key in report.loaded}, own, report.source)
    module.load_state_dict(selection.chosen, strict=False)
    return report


def read_weights(path: str | Path, prefer_ema: bool = True) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint of any of the usual layouts, without the prefix of a data-parallel wrapper.

    Args:
        path: A local file.
        prefer_ema: Take the moving average of the weights where the file has one.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it can't be read or holds no weights.
    """
    _, weights = _select_entry(safe_load(path), str(path), prefer_ema)
    return _unwrap(_tensors(weights, str(path)), {})


def register_safe_checkpoint_loader() -> None:
    """Make mmengine read checkpoints with our allow-list: local files, also on resume, and downloads.

    mmengine 0.10 fails on its own checkpoints from torch 2.6 on, for want of an allow-list, and it unpickles downloads
    freely. Its loaders of URLs and of names such as `torchvision://resnet50` all end in its `load_url`.
    """
    CheckpointLoader.register_scheme(prefixes="", loader=load_from_local, force=True)
    mmengine_checkpoint.load_url = load_url


def load_from_local(filename: str, map_location: MapLocation = None) -> Any:
    """mmengine's loader of local files; it logs what follows `load_from_` in this name."""
    return _without_config(safe_load(filename, map_location))


def load_url(url: str, model_dir: str | None = None, map_location: MapLocation = None, progress: bool = True) -> Any:
    """Download a checkpoint, unless it is there already, and read it with `safe_load`.

    Args:
        url: Where it is.
        model_dir: Folder to keep it in, torch.hub's by default.
        map_location: Where tensors go, as in `torch.load`.
        progress: Show a progress bar.
    """
    folder = Path(model_dir) if model_dir else Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / Path(urlparse(url).path).name
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), progress=progress)
    return _without_config(safe_load(file, map_location))


def _without_config(checkpoint: Any) -> Any:
    """The checkpoint without the text of its training's config, which mmengine would run as Python on resume."""
    if isinstance(checkpoint, dict) and isinstance(checkpoint.get("meta"), dict):
        checkpoint["meta"].pop("config", None)
    return checkpoint


@WEIGHT_INITIALIZERS.register_module()
class SafePretrained:
    """Initialise a module with `load_weights`: `init_cfg=dict(type="SafePretrained", checkpoint="file.pth")`."""

    def __init__(self, checkpoint: str, prefix: str | None = None, prefer_ema: bool = True, ignore: Sequence[str] = ()):
        """Take the arguments of `load_weights`."""
        self.checkpoint = checkpoint
        self.settings: dict[str, Any] = {"prefix": prefix, "prefer_ema": prefer_ema, "ignore": ignore}

    def __call__(self, module: nn.Module) -> None:
        """Load the weights and log what was not used."""
        print_log(str(load_weights(module, self.checkpoint, **self.settings)), logger="current")
        if hasattr(module, "_params_init_info"):
            update_init_info(module, init_info=f"SafePretrained: {self.checkpoint}")


def _load_safetensors(path: Path, map_location: MapLocation) -> dict[str, torch.Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise CheckpointError(f"checkpoint {path} needs the package safetensors: pip install safetensors") from error
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"checkpoint {path} is damaged, or no safetensors file ({error})") from error
    if map_location is None or callable(map_location) or isinstance(map_location, Mapping):
        return weights
    return {key: value.to(map_location) for key, value in weights.items()}


def _is_about_content(error: Exception) -> bool:
    """Whether the file itself made `torch.load` fail, and not the disk, memory or a missing device."""
    if isinstance(error, OSError):
        return error.errno == errno.EINVAL  # torch seeks before the start of an archive that was cut short
    if isinstance(error, RuntimeError):
        return DAMAGE.search(str(error)) is not None
    return not isinstance(error, MemoryError)  # damaged bytes may fail anywhere in the unpickler


def _explain(path: Path, error: str) -> str:
    """One line on why a file couldn't be read."""
    blocked = re.search(r"GLOBAL (\S+) (?:was not|whose module)", error)
    if blocked:
        return (
            f"checkpoint {path} holds an object of {blocked[1]}, which is not on the list of safe types. If you trust "
            f"its author, pass the class in `allow`, or save the weights alone: torch.save(weights, file)"
        )
    size = f"{path.stat().st_size} bytes"
    with path.open("rb") as stream:
        start = stream.read(2)
    if start in (b"PK", b"\x80\x02"):
        return f"checkpoint {path} ({size}) is damaged or cut short; copy or download it again ({_first_line(error)})"
    return f"checkpoint {path} ({size}) is no file written by torch.save"


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]


def _select_entry(content: Any, label: str, prefer_ema: bool) -> tuple[str, Mapping[str, Any]]:
    """Name and value of the dictionary of weights in a checkpoint; the name is empty for the checkpoint itself."""
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{label} holds a {type(content).__name__}, not a dictionary of weights")
    plain = [name for name in PLAIN_ENTRIES if isinstance(content.get(name), Mapping)]
    averaged = [name for name in EMA_ENTRIES if isinstance(content.get(name), Mapping)]
    if plain and averaged and "message_hub" in content:
        plain, averaged = averaged, plain  # mmengine's EMAHook swaps the two when it saves
    order = [*averaged, *plain] if prefer_ema else [*plain, *averaged]
    for name in order:
        return name, content[name]
    if any(isinstance(value, torch.Tensor) for value in content.values()):
        return "", content
    known = ", ".join((*PLAIN_ENTRIES, *EMA_ENTRIES))
    raise CheckpointError(f"{label} has no weights under {known}; it has {', '.join(map(str, content))}")


def _tensors(weights: Mapping[Any, Any], label: str, may_lack_values: bool = False) -> dict[str, torch.Tensor]:
    """The tensors among the values, all of them dense, under names that are texts.

    Args:
        weights: By name.
        label: What messages call their file.
        may_lack_values: Whether shapes are all that is wanted: those of the device meta have no values.
    """
    tensors = {key: value for key, value in weights.items() if isinstance(value, torch.Tensor)}
    for key, value in tensors.items():
        if not isinstance(key, str):
            raise CheckpointError(f"{label}: a weight is named {shorten(key)}, which is no text; save a state dict")
        lacks_values = value.is_meta and not may_lack_values
        if value.layout is not torch.strided or value.is_nested or value.is_quantized or lacks_values:
            raise CheckpointError(
                f"{label}: weight {key} is sparse, nested, quantised or without values; save it as a dense tensor"
            )
    return tensors


def _unwrap(weights: Mapping[str, torch.Tensor], own: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors without the prefix of a data-parallel wrapper."""
    tensors = dict(weights)
    if any(key.startswith(WRAPPER_PREFIX) for key in own):
        return tensors
    if any(key.startswith(WRAPPER_PREFIX) for key in tensors):
        tensors.pop(EMA_COUNTER, None)
    return {key.removeprefix(WRAPPER_PREFIX): value for key, value in tensors.items()}


def _find_prefix(weights: Mapping[str, Any], own: Mapping[str, Any], label: str) -> str:
    """The prefix under which most of the module's keys are found in the file."""
    names = list(own)
    probes = {names[0], names[len(names) // 2], names[-1]} if names else set()
    candidates = {key.removesuffix(probe) for key in weights for probe in probes if key.endswith(f".{probe}")} | {""}
    found = {candidate: sum(candidate + name in weights for name in names) for candidate in candidates}
    best = sorted(candidate for candidate in candidates if found[candidate] == max(found.values()))
    if "" in best:
        return ""
    if len(best) > 1:
        raise CheckpointError(f"{label} has the weights more than once, under {', '.join(best)}: say which as `prefix`")
    return best[0]


class _Selection:
    """The part of a file's weights that is to be loaded."""

    def __init__(self, weights: Mapping[str, torch.Tensor], prefix: str, ignore: tuple[str, ...]) -> None:
        self.weights = weights
        self.prefix = prefix
        self.ignore = ignore
        inside = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
        self.chosen = {key: value for key, value in inside.items() if not key.startswith(ignore)}

    def compare(self, own: Mapping[str, torch.Tensor], source: str) -> LoadReport:
        """Sort the keys of the file and of the module, whose state dict is `own`."""
        shapes = [(key, tuple(value.shape), tuple(own[key].shape)) for key, value in self.chosen.items() if key in own]
        mismatched = tuple(entry for entry in shapes if entry[1] != entry[2])
        # Old files have no `num_batches_tracked`, which means nothing unless momentum is None.
        needed = [key for key in own if not key.startswith(self.ignore) and not key.endswith("num_batches_tracked")]
        return LoadReport(
            source=source,
            prefix=self.prefix,
            loaded=tuple(key for key, in_file, shape in shapes if in_file == shape),
            missing=tuple(key for key in needed if key not in self.chosen),
            unexpected=tuple(self.prefix + key for key in self.chosen if key not in own),
            mismatched=mismatched,
            skipped=tuple(key for key in self.weights if not self._is_chosen(key)),
        )

    def _is_chosen(self, key: str) -> bool:
        return key.startswith(self.prefix) and key.removeprefix(self.prefix) in self.chosen


def _check(report: LoadReport, strict: bool, weights: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    if report.mismatched or (strict and (report.missing or report.unexpected)):
        raise CheckpointError(f"the checkpoint doesn't fit the model: {report}", report)
    if not report.loaded:
        raise CheckpointError(
            f"{report.source} has none of the model's keys: it has {_sample(weights)}; the model has {_sample(own)}",
            report,
        )


def _check_values(weights: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor], source: str) -> None:
    for key, value in weights.items():
        if own[key].is_floating_point() and not value.is_floating_point():
            raise CheckpointError(f"{source}: {key} is {value.dtype}, but the model's is {own[key].dtype}")
        if value.is_floating_point() and not value.is_meta and value.isnan().any():
            raise CheckpointError(f"{source}: {key} holds NaN; take a checkpoint from before its training diverged")


def _sample(keys: Iterable[str]) -> str:
    names = list(keys)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _listing(title: str, keys: Sequence[str]) -> list[str]:
    if not keys:
        return []
    more = f", and {len(keys) - LISTED_KEYS} more" if len(keys) > LISTED_KEYS else ""
    return [f"{len(keys)} {title}: {', '.join(keys[:LISTED_KEYS])}{more}"]
