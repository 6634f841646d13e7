"""An InternImage as a folder with `config.json` and `model.safetensors`, as published on Hugging Face.

Such a folder needs no transformers to be read or written; with it, `bev.models.backbones.huggingface` reads the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bev.datasets.atomic import atomic_write
from bev.datasets.text_files import read_json, write_json
from bev.engine.checkpoint import CheckpointError, load_weights
from bev.errors import InputError
from bev.models.backbones.internimage import InternImage
from bev.models.backbones.internimage.settings import from_settings, to_settings

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
PREFIX = "model."  # of the published weights' names


def save_pretrained(model: InternImage, folder: str | Path) -> None:
    """Write a model's architecture and weights.

    Args:
        model: A classifier, or a feature extractor with all stages.
        folder: Gets the two files.

    Raises:
        InputError: If the model lacks stages, which the file could not say.
    """
    from safetensors.torch import save

    if model.last_stage + 1 != model.arch.num_stages:
        raise InputError(f"only whole models are saved; this one ends with stage {model.last_stage}")
    num_classes = model.head.out_features if model.out_indices is None else 0
    weights = {PREFIX + key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    with atomic_write(Path(folder) / WEIGHTS_FILE) as file:
        file.write(save(weights, metadata={"format": "pt"}))
    write_json(Path(folder) / CONFIG_FILE, to_settings(model.arch, num_classes), indent=2)


def load_pretrained(folder: str | Path, **settings: Any) -> InternImage:
    """Read a model.

    Args:
        folder: Has `config.json` and `model.safetensors`.
        **settings: Other arguments of `InternImage`. `out_indices` makes a feature extractor of a classifier's folder.

    Raises:
        FileNotFoundError: If a file is missing.
        CheckpointError: If one is damaged, describes another model, or the weights don't fit.
    """
    folder = Path(folder)
    content = _read_config(folder / CONFIG_FILE)
    classes = content.get("num_classes") or None
    try:
        fields = from_settings(content)
        if classes is not None and "out_indices" not in settings:
            settings = {"num_classes": classes, **settings}
        model = InternImage("t", **{**fields, **settings})
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{folder / CONFIG_FILE}: {error}") from error
    report = load_weights(model, folder / WEIGHTS_FILE, prefix=PREFIX)
    if report.missing:
        raise CheckpointError(f"{folder / WEIGHTS_FILE} lacks weights of the model: {report}", report)
    return model


def _read_config(path: Path) -> dict[str, Any]:
    return read_json(path, dict, "copy or download it again", CheckpointError)
