"""The scenes that were generated: a file for each, from which the exporters work."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from bev.datasets.synthetic.scene import Scene
from bev.datasets.synthetic.world import build_scene
from bev.datasets.text_files import TextFileError, read_json, shorten
from bev.errors import InputError

SHARDS = "scenes"
"""Folder in that of the tables with a file per finished scene: its recipe and its rows."""


def check_counts(scenes: int, val_scenes: int, frames: int, workers: int) -> None:
    """Refuses numbers that make no sense.

    Raises:
        InputError: There would be no scene, no frame or no process.
    """
    if scenes < 0 or val_scenes < 0 or scenes + val_scenes < 1:
        raise InputError(f"there must be at least one scene, got {scenes} training and {val_scenes} held-out scenes")
    if frames < 1 or workers < 1:
        raise InputError(f"frames and workers must be at least 1, got {frames} and {workers}")


def finished_shards(root: str | Path, version: str) -> list[Path]:
    """Files of the generated scenes, by name.

    Raises:
        FileNotFoundError: The data set was not generated here.
    """
    folder = Path(root) / version / SHARDS
    shards = sorted(folder.glob("*.json"))
    if not shards:
        raise FileNotFoundError(f"{folder}: no generated scenes; make the world first")
    return shards


def read_shard(path: str | Path) -> dict[str, Any]:
    """A finished scene: its recipe, and its rows of each table.

    Raises:
        TextFileError: The file is damaged.
    """
    advice = "make the world again, which keeps its other scenes"
    shard = read_json(path, dict, advice)
    if not all(isinstance(shard.get(key), dict) for key in ("recipe", "tables")):
        raise TextFileError(f"{path}: expected the objects 'recipe' and 'tables', found {shorten(shard)}; {advice}")
    return shard


def scene_of(recipe: dict[str, Any]) -> Scene:
    """The scene that was made by a recipe."""
    return build_scene(recipe["name"], tuple(recipe["seed"]), recipe["frames"], tuple(recipe["image_size"]))


def recipe_digest(recipe: dict[str, Any]) -> str:
    """Changes with anything that a scene's content depends on; labels keep it, as tokens depend on names alone."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
