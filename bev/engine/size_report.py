"""Sizes of configured models as text: a line for one, a table for many.

A config may hold `published`, what the model's authors reported, each entry optional:
`dict(parameters=30e6, multiply_adds=5e9, result="83.5 top-1", source="arXiv 2211.05778, table 2", note="...")`.
Tables show it beside what is computed here; `note` says why the two differ where they do, or what else a reader should
know. Of models of bird's-eye view tables show the result and its source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mmengine.config import Config

from bev.engine.config import ConfigError, load_config
from bev.engine.data_config import evaluated_dataset
from bev.engine.image_model_size import measure_image_model
from bev.engine.model_size import measure_size

BEV_COLUMNS = (
    "config",
    "parameters (backbone), millions",
    "images",
    "frames",
    "multiply-adds, G",
    "of a live step, G",
    "published, val",
    "trained here",
)
IMAGE_COLUMNS = (
    "config",
    "parameters (backbone), millions",
    "authors' millions",
    "image",
    "multiply-adds, G",
    "authors' G",
    "published result",
    "source",
    "trained here",
    "note",
)
PUBLISHED_KEYS = ("parameters", "multiply_adds", "result", "source", "note")


def describe(config: Config, size: tuple[int, int] | None = None) -> str:
    """One line about the model of a config, of bird's-eye view or of images.

    Args:
        config: A whole experiment.
        size: Height and width for an image model, if not the config's own.

    Raises:
        ConfigError: If the config has no model.
    """
    name = Path(config.filename).stem
    if _is_bev(config):
        bev = measure_size(config)
        return (
            f"{name}: {bev.parameters / 1e6:.1f} M parameters (backbone {bev.backbone_parameters / 1e6:.1f} M), "
            f"{bev.multiply_adds / 1e9:.1f} G multiply-adds for {bev.frames} frames of images of "
            f"{_by(bev.image_size)}, {bev.live_multiply_adds / 1e9:.1f} G for a live step"
        )
    image = measure_image_model(config, size)
    return (
        f"{name}: {image.parameters / 1e6:.2f} M parameters (backbone {image.backbone_parameters / 1e6:.2f} M), "
        f"{image.multiply_adds / 1e9:.2f} G multiply-adds at {_by(image.image_size)}, of which "
        f"{image.sampling_multiply_adds / 1e9:.2f} G are DCNv3's sampling"
    )


def find_configs(places: Sequence[Path]) -> list[Path]:
    """Config files among these files and in these folders, in order.

    Raises:
        ConfigError: If a folder has none.
    """
    found: list[Path] = []
    for place in places:
        inside = sorted(place.glob("*.py")) if place.is_dir() else [place]
        if not inside:
            raise ConfigError(f"{place}: no configs in this folder")
        found += inside
    return found


def table(paths: Sequence[Path], size: tuple[int, int] | None = None) -> Iterator[str]:
    """Yields the lines of a table in Markdown, of models of bird's-eye view or of image models.

    Args:
        paths: Config files.
        size: Height and width for all image models, if not each config's own.

    Raises:
        ConfigError: If a config has no model or an unknown entry in `published`, or there are models of both kinds.
    """
    configs = [load_config(path) for path in paths]
    kinds = {_is_bev(config) for config in configs}
    if len(kinds) > 1:
        raise ConfigError("a table has models of one kind, of bird's-eye view or of images: name these alone")
    of_bev = kinds == {True}
    columns = BEV_COLUMNS if of_bev else IMAGE_COLUMNS
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for config in configs:
        row = _bev_row(config) if of_bev else _image_row(config, size)
        yield f"| {' | '.join(row)} |"


def published(config: Config) -> dict:
    """What the authors reported, with None for what a config doesn't say.

    Raises:
        ConfigError: If there is an unknown entry.
    """
    given = dict(config.get("published") or {})
    unknown = sorted(set(given) - set(PUBLISHED_KEYS))
    if unknown:
        known = ", ".join(PUBLISHED_KEYS)
        raise ConfigError(f"{config.filename}: published has no entry {', '.join(unknown)}; there are {known}")
    return dict.fromkeys(PUBLISHED_KEYS) | given


def _is_bev(config: Config) -> bool:
    if "model" not in config:
        raise ConfigError(f"{config.filename}: it has no model to measure")
    return config.model.type == "BEVPerceptor"


def _bev_row(config: Config) -> list[str]:
    theirs, ours = published(config), measure_size(config)
    looks_ahead = max(evaluated_dataset(config).get("frame_offsets", (0,))) > 0
    name = Path(config.filename).stem
    return [
        name,
        _millions(ours.parameters, ours.backbone_parameters),
        f"{ours.cameras} x {_by(ours.image_size)}",
        str(ours.frames),
        f"{ours.multiply_adds / 1e9:.1f}",
        "impossible" if looks_ahead else f"{ours.live_multiply_adds / 1e9:.1f}",
        f"{theirs['result']} ({theirs['source']})" if theirs["result"] else "none",
        "on the synthetic world" if "nano" in name else "no",
    ]


def _image_row(config: Config, size: tuple[int, int] | None) -> list[str]:
    theirs, ours = published(config), measure_image_model(config, size)
    name = Path(config.filename).stem
    return [
        name,
        _millions(ours.parameters, ours.backbone_parameters),
        _scaled(theirs["parameters"], 1e6),
        _by(ours.image_size),
        f"{ours.multiply_adds / 1e9:.1f}",
        _scaled(theirs["multiply_adds"], 1e9),
        theirs["result"] or "none",
        theirs["source"] or "",
        "in tests" if "nano" in name else "no",
        theirs["note"] or "",
    ]


def _millions(parameters: float, of_backbone: float) -> str:
    return f"{parameters / 1e6:.1f} ({of_backbone / 1e6:.1f})"


def _scaled(value: float | None, unit: float) -> str:
    return "" if value is None else f"{value / unit:g}"


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
