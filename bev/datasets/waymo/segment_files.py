"""Segments of a data set, in either layout, local or in an object store.

Version 1 has one file of records per segment: training/segment-NAME_with_camera_labels.tfrecord. Version 2 has one
Parquet file per segment and component: training/camera_image/NAME.parquet, training/lidar_box/NAME.parquet ...
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec

from bev.datasets.waymo.parquet_segment import IMAGES, LABELS, OPTIONAL, REQUIRED, SYNCED
from bev.errors import InputError

LAYOUTS = {"tfrecord": "*.tfrecord", "parquet": f"{IMAGES}/*.parquet"}
"""What marks a segment, by layout."""

WHOLE = "all"
"""Name of the split of files that lie in the data root itself."""

_CHANGE_MARKS = ("mtime", "LastModified", "last_modified", "updated", "etag", "ETag", "md5Hash", "created")
"""Under which names the file systems say when a file was last changed, or what its content is."""


class WaymoFilesError(InputError):
    """A folder without segment files, or an index that holds something else; the message says what to do."""


@dataclass(frozen=True)
class SegmentFile:
    """A segment.

    Attributes:
        path: Its file of records, or that of its images; local or URL.
        name: This path relative to the data root.
        stamp: Changes with the content.
        components: Folders beside that of the images, in the Parquet layout.
    """

    path: str
    name: str
    stamp: str
    components: tuple[str, ...] = ()


def find_splits(
    root: str | os.PathLike, layout: str | None = None, wanted: Sequence[str] | None = None
) -> dict[str, list[SegmentFile]]:
    """Segments by split: those of each folder of the data root, and of the root itself as "all".

    Args:
        root: Local folder, or a URL that fsspec understands.
        layout: 'tfrecord' or 'parquet'; the one that is there by default.
        wanted: Splits to return, of those that are there; all by default.

    Raises:
        WaymoFilesError: Both layouts are there, a component of a segment is missing, or the kind of URL is unknown.
    """
    base = os.fspath(root).rstrip("/")
    try:
        files, folder = fsspec.core.url_to_fs(base)
    except (ImportError, ValueError) as error:
        raise WaymoFilesError(f"{root}: {error}") from error
    found = {
        kind: {path: stamp for depth in ("", "*/") for path, stamp in _stamps(files, f"{folder}/{depth}{pattern}")}
        for kind, pattern in LAYOUTS.items()
        if layout in (None, kind)
    }
    there = [kind for kind, segments in found.items() if segments]
    if len(there) > 1:
        raise WaymoFilesError(f"{root}: files in two layouts, {' and '.join(there)}; say with --format which to read")
    splits: dict[str, list[SegmentFile]] = {}
    for kind in there:
        for path, stamp in found[kind].items():
            name = path.removeprefix(folder.rstrip("/") + "/")
            outer = name.split("/")[: -1 if kind == "tfrecord" else -2]
            split = outer[0] if outer else WHOLE
            if wanted is None or split in wanted:
                splits.setdefault(split, []).append(SegmentFile(f"{base}/{name}", name, stamp))
    if there == ["parquet"]:
        return {split: _with_components(files, folder, split, segments) for split, segments in splits.items()}
    return splits


def _stamps(files: Any, pattern: str) -> Iterator[tuple[str, str]]:
    """Paths of files, sorted, with what changes with their content."""
    for path, details in sorted(files.glob(pattern, detail=True).items()):
        changed = next((details[mark] for mark in _CHANGE_MARKS if mark in details), "")
        yield path, f"{details['size']}-{changed}"


def _with_components(files: Any, folder: str, split: str, segments: list[SegmentFile]) -> list[SegmentFile]:
    """Segments with the components of their split, whose files must all be there."""
    place = folder if split == WHOLE else f"{folder}/{split}"
    found = {name: dict(_stamps(files, f"{place}/{name}/*.parquet")) for name in (*REQUIRED, *OPTIONAL)}
    components = tuple(name for name in found if found[name] or name in REQUIRED)
    for name, lost in ((LABELS, "labels"), (SYNCED, "camera-synced boxes")):
        if name not in components:
            warnings.warn(f"{place}: no folder {name}, so these frames get no {lost}", stacklevel=4)
            break
    complete = []
    for segment in segments:
        own = {name: f"{place}/{name}/{segment.path.rsplit('/', 1)[-1]}" for name in components}
        missing = [path for name, path in own.items() if path not in found[name]]
        if missing:
            raise WaymoFilesError(f"{missing[0]}: missing, though {segment.name} is there; download this file, too")
        stamp = " ".join(found[name][path] for name, path in own.items())
        complete.append(SegmentFile(segment.path, segment.name, stamp, components))
    return complete
