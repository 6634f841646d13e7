"""Builds the index files of a data set that lies as Waymo distributes it, in either layout.

Segments are read in several processes. Each finished one is a shard on disk, so that a run that was killed goes on
where it was; when all segments are there, the shards are merged into one index per split and removed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bev.datasets.index_io import SCHEMA_VERSION, of_entries, read_index, write_index
from bev.datasets.shards import ShardFolder
from bev.datasets.waymo.classes import TYPES
from bev.datasets.waymo.index_segment import read_segment
from bev.datasets.waymo.parquet_segment import read_parquet_segment
from bev.datasets.waymo.segment import Segment
from bev.datasets.waymo.segment_files import LAYOUTS, SegmentFile, WaymoFilesError, find_splits

REVISION = "2"
"""Raise it when `Segment` changes; shards of another revision are read anew."""


@dataclass(frozen=True)
class WaymoIndexSummary:
    """What one index file holds."""

    path: Path
    split: str
    segments: int
    frames: int
    objects: int
    size: int


def build_indexes(
    root: str | os.PathLike,
    out: str | os.PathLike | None = None,
    splits: Sequence[str] | None = None,
    workers: int = 1,
    skip_damaged: bool = False,
    layout: str | None = None,
    progress: Callable[[Iterable, int], Iterable] = lambda items, total: items,
) -> list[WaymoIndexSummary]:
    """Writes `waymo_infos_<split>.pkl` for every split.

    Args:
        root: Data root, local or a URL; paths inside the index are relative to it.
        out: Folder of the index files; the data root by default, and needed where that is a URL.
        splits: Folders to read, such as training and validation; all by default.
        workers: Processes; 1 works in this one.
        skip_damaged: Warn of damaged records and leave them out.
        layout: 'tfrecord' or 'parquet'; the one that is there by default.
        progress: Wraps the iterator over finished segments, given their total number; a place for a progress bar.

    Returns:
        One summary per file written.

    Raises:
        WaymoFilesError: No segment files, an unknown split, two layouts, or a component of a segment is missing.
        RecordError: A record is damaged; the message has file and byte.
        ParquetError: A Parquet file can't be read, or pyarrow isn't installed.
        SegmentError: A file without frames, or with those of several segments.
        CalibrationError: A calibration or pose that can't be right.
        InputError: Another run is at work in the folder.
        OSError: A file could not be read or written; indexes that stood there are untouched.
    """
    chosen = _choose_splits(root, layout, splits)
    if out is None and "://" in os.fspath(root):
        raise WaymoFilesError(f"{root}: say with --out where the index files of a remote data set go")
    folder = Path(root if out is None else out)
    with ShardFolder.of(folder, "waymo_infos", f"{SCHEMA_VERSION}-{REVISION}") as shards:

        def part(file: SegmentFile) -> str:
            whole = _part(file)
            return whole if not skip_damaged or shards.has(whole) else f"{whole}.skipping"

        def read(file: SegmentFile) -> list[dict]:
            return [_read(file, shards.path, skip_damaged).to_entry()]

        parts = {split: {part(file): file for file in files} for split, files in chosen.items()}
        shards.fill({name: file for files in parts.values() for name, file in files.items()}, read, workers, progress)
        summaries = [_merge(shards, folder, split, names) for split, names in parts.items()]
        shards.remove()
    return summaries


def _choose_splits(
    root: str | os.PathLike, layout: str | None, splits: Sequence[str] | None
) -> dict[str, list[SegmentFile]]:
    """Files by split, in the order asked for."""
    found = find_splits(root, layout, splits)
    missing = sorted(set(splits or ()) - set(found))
    if not found or missing:
        what = f"no folder {missing[0]} with" if missing else "no"
        kinds = LAYOUTS.values() if layout is None else [LAYOUTS[layout]]
        raise WaymoFilesError(
            f"{root}: {what} segment files ({' or '.join(kinds)}); --root is the folder that holds training/ and "
            "validation/ of the Waymo Open Dataset"
        )
    return {split: found[split] for split in (splits or sorted(found))}


def read_segments(path: str | os.PathLike) -> list[Segment]:
    """The segments of an index.

    Raises:
        FileNotFoundError: There is no such file.
        IndexFormatError: It is no index, or one of another schema.
        WaymoFilesError: It is the index of another data set.
    """
    index = read_index(path)
    if index["metainfo"].get("dataset") != "waymo":
        raise WaymoFilesError(f"{path}: an index of {index['metainfo'].get('dataset')!r}, not of Waymo")
    return of_entries(path, index["data_list"], lambda entries: [Segment.from_entry(entry) for entry in entries])


def _read(file: SegmentFile, cache_dir: Path, skip_damaged: bool) -> Segment:
    if file.components:
        return read_parquet_segment(file.path, file.name, file.components)
    return read_segment(file.path, file.name, cache_dir, skip_damaged)


def _merge(shards: ShardFolder, out: Path, split: str, parts: Iterable[str]) -> WaymoIndexSummary:
    entries = shards.read(parts)
    segments = [Segment.from_entry(entry) for entry in entries]
    path = out / f"waymo_infos_{split}.pkl"
    write_index(path, {"dataset": "waymo", "split": split, "categories": dict(TYPES)}, entries)
    return WaymoIndexSummary(
        path=path,
        split=split,
        segments=len(segments),
        frames=sum(map(len, segments)),
        objects=sum(len(segment.types) for segment in segments),
        size=path.stat().st_size,
    )


def _part(file: SegmentFile) -> str:
    """Name of the shard with this state of a file."""
    return f"{Path(file.name).stem}.{hashlib.sha256(f'{file.path} {file.stamp}'.encode()).hexdigest()[:12]}"
