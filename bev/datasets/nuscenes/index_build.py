"""Builds the index files of a release: scene by scene, in several processes, resumable.

Each finished scene is a shard on disk. A run that was killed finds the shards of the same tables and goes on; when all
scenes of all splits are there, the shards are merged into one index per split and removed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bev.datasets.index_io import SCHEMA_VERSION, write_index
from bev.datasets.nuscenes.can_bus import FOLDER as CAN_BUS
from bev.datasets.nuscenes.classes import CATEGORY_TO_CLASS, INDEX_CLASSES
from bev.datasets.nuscenes.index_samples import scene_entries
from bev.datasets.nuscenes.index_tables import TABLES, TablesError, available_splits, open_tables, tables_folder
from bev.datasets.shards import ShardFolder


@dataclass(frozen=True)
class NuScenesIndexSummary:
    """What one index file holds."""

    path: Path
    split: str
    scenes: int
    samples: int
    boxes: int
    lidar_files_missing: int


def build_indexes(
    root: str | os.PathLike,
    version: str,
    out: str | os.PathLike | None = None,
    splits_file: str | os.PathLike | None = None,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda items, total: items,
) -> list[NuScenesIndexSummary]:
    """Writes `nuscenes_infos_<split>.pkl` for every split of a release that its tables hold.

    Args:
        root: data root; paths inside the index are relative to it.
        version: folder of the tables, such as v1.0-trainval.
        out: folder of the index files; the data root by default.
        splits_file: custom splits, {"split": ["scene-0001", ...]}.
        workers: processes; 1 works in this one.
        progress: wraps the iterator over finished scenes, given their total number; a place for a progress bar.

    Returns:
        One summary per file written.

    Raises:
        TablesError: tables or splits are missing or broken.
        CalibrationError: a calibration or pose that cannot be right.
        InputError: another run is at work in the folder.
        OSError: a file could not be written; files that stood there are untouched.
    """
    splits = available_splits(root, version, splits_file)
    if not splits:
        raise TablesError(
            f"{Path(root) / version}: its scenes belong to no known split; write them as "
            f'{{"split name": ["scene name", ...]}} to splits.json beside the tables, or give --splits FILE'
        )
    out = Path(root if out is None else out)
    names = sorted({name for scenes in splits.values() for name in scenes})
    with ShardFolder.of(out, f"nuscenes_infos-{version}", _fingerprint(tables_folder(root, version))) as shards:
        if not all(shards.has(name) for name in names):  # reading the tables takes minutes
            nusc = open_tables(root, version)
            scenes = {scene["name"]: scene for scene in nusc.scene}
            shards.fill({name: scenes[name] for name in names}, partial(scene_entries, nusc), workers, progress)
        summaries = [_merge(shards, out, version, split, scenes) for split, scenes in splits.items()]
        shards.remove()
    return summaries


def _merge(shards: ShardFolder, out: Path, version: str, split: str, scenes: list[str]) -> NuScenesIndexSummary:
    data_list = shards.read(scenes)
    for position, entry in enumerate(data_list):
        entry["sample_idx"] = position
    categories = {name: label for label, name in enumerate(INDEX_CLASSES)}
    metainfo = {"dataset": "nuscenes", "version": version, "split": split, "categories": categories}
    path = out / f"nuscenes_infos_{split}.pkl"
    write_index(path, metainfo, data_list)
    return NuScenesIndexSummary(
        path=path,
        split=split,
        scenes=len(scenes),
        samples=len(data_list),
        boxes=sum(len(entry["instances"]) for entry in data_list),
        lidar_files_missing=sum(entry["lidar_points"]["lidar_path"] is None for entry in data_list),
    )


def _fingerprint(folder: Path) -> str:
    """Changes when the schema, the class mapping, any table or the CAN bus does: by size and time, for they are big."""
    digest = hashlib.sha256(f"{SCHEMA_VERSION} {INDEX_CLASSES} {sorted(CATEGORY_TO_CLASS.items())}".encode())
    for name in TABLES:
        path = folder / f"{name}.json"
        if path.is_file():
            status = path.stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}".encode())
    can_bus = folder.parent / CAN_BUS
    if can_bus.is_dir():
        digest.update(f"{CAN_BUS} {can_bus.stat().st_mtime_ns}".encode())
    return digest.hexdigest()[:12]
