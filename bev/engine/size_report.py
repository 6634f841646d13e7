"""Sizes of configured models as text: a line for one, a table for a folder of image models.

A config of an image model may hold `published`, what its authors reported, each entry optional:
`dict(parameters=30e6, multiply_adds=5e9, result="83.5 top-1", source="arXiv 2211.05778, table 2", note="...")`.
Tables show it beside what is computed here; `note` says why the two differ where they do, or what else a reader should
know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mmengine.config import Config

from bev.engine.config import ConfigError, load_config
from bev.engine.image_model_size import measure_image_model
from bev.engine.model_size import measure_size

COLUMNS = (
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
    """
    name = Path(config.filename).stem
    if config.model.type == "BEVPerceptor":
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


def table(paths: Sequence[Path], size: tuple[int, int] | None = None) -> Iterator[str]:
    """Lines of a Markdown table, one row per config of an image model.

    Args:
        paths: Config files.
        size: Height and width for all, if not each config's own.

    Raises:
        ConfigError: If a config's `published` has an unknown entry.
    """
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    for path in paths:
        yield f"| {' | '.join(_row(load_config(path), size))} |"


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


def _row(config: Config, size: tuple[int, int] | None) -> list[str]:
    theirs, ours = published(config), measure_image_model(config, size)
    name = Path(config.filename).stem
    return [
        name,
        f"{ours.parameters / 1e6:.1f} ({ours.backbone_parameters / 1e6:.1f})",
        _scaled(theirs["parameters"], 1e6),
        _by(ours.image_size),
        f"{ours.multiply_adds / 1e9:.1f}",
        _scaled(theirs["multiply_adds"], 1e9),
        theirs["result"] or "none",
        theirs["source"] or "",
        "in tests" if "nano" in name else "no",
        theirs["note"] or "",
    ]


def _scaled(value: float | None, unit: float) -> str:
    return "" if value is None else f"{value / unit:g}"


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
