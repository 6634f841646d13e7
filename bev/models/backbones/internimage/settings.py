"""An InternImage as a `config.json`, in the vocabulary of the published Hugging Face models."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from bev.errors import InputError
from bev.models.backbones.internimage.variants import Architecture

MODEL_TYPE = "internimage"
OTHER_NAMES = {"norm_layer": "stem_norm"}  # theirs -> ours
# What the published code can vary and its published models don't: theirs -> the one value that is offered here.
FIXED: dict[str, tuple[Any, ...]] = {
    "core_op": ("DCNv3", "DCNv3_pytorch"),
    "act_layer": ("GELU",),
    "drop_rate": (0.0,),
    "drop_path_type": ("linear",),
}
FIELDS = tuple(field.name for field in dataclasses.fields(Architecture))


class SettingsError(InputError):
    """A config.json that describes no InternImage of ours."""


def to_settings(arch: Architecture, num_classes: int) -> dict[str, Any]:
    """Content of the config.json of a model.

    Args:
        arch: Its architecture.
        num_classes: Its classes; 0 for a feature extractor.
    """
    theirs = {ours: name for name, ours in OTHER_NAMES.items()}
    values = {theirs.get(name, name): value for name, value in dataclasses.asdict(arch).items()}
    block_ids = values.pop("level2_post_norm_block_ids")
    return {
        "model_type": MODEL_TYPE,
        **{name: list(value) if isinstance(value, tuple) else value for name, value in values.items()},
        "level2_post_norm": bool(block_ids),
        "level2_post_norm_block_ids": list(block_ids) or None,
        **{name: allowed[0] for name, allowed in FIXED.items()},
        "num_classes": num_classes,
    }


def from_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `Architecture` that a config.json describes; entries that don't concern the model are passed over.

    Raises:
        SettingsError: If it is another kind of model, lacks an entry, or asks for what isn't offered here.
    """
    if settings.get("model_type") != MODEL_TYPE:
        raise SettingsError(f"model_type is {settings.get('model_type')!r}, not {MODEL_TYPE!r}")
    lacking = [name for name in ("channels", "depths", "groups") if not settings.get(name)]
    if lacking:
        raise SettingsError(f"an InternImage needs {', '.join(lacking)}")
    for name, allowed in FIXED.items():
        if settings.get(name, allowed[0]) not in allowed:
            raise SettingsError(f"{name} is {settings[name]!r}; only {' or '.join(map(repr, allowed))} is offered")
    ours = {OTHER_NAMES.get(name, name): value for name, value in settings.items()}
    if not ours.get("level2_post_norm"):
        ours["level2_post_norm_block_ids"] = None
    absent = {"level2_post_norm_block_ids": (), "dw_kernel_size": 3}  # what null stands for
    fields = {name: ours[name] for name in FIELDS if name in ours}
    return {name: absent[name] if value is None and name in absent else value for name, value in fields.items()}
