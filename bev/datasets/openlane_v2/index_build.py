"""Builds the index files of OpenLane-V2: segment by segment, in several processes, resumable.

A record follows the layout of the nuScenes index (see data/README.md) as far as OpenLane-V2 reaches, and carries the
annotation under `lane_topology` (see `annotations.read_topology`), None where there is none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from bev.datasets.index_io import SCHEMA_VERSION, write_index
from bev.datasets.openlane_v2.annotations import AnnotationError, Fields, read_camera, read_pose, read_topology
from bev.datasets.openlane_v2.classes import FRONT_CAMERAS, NUM_CAMERAS
from bev.datasets.openlane_v2.sources import FrameFiles, FramePickles, FrameSource, ListedSegment, list_segments
from bev.datasets.shards import ShardFolder
from bev.datasets.text_files import file_part
from bev.errors import InputError

FORMATS = ("centerline", "segment")
TICKS_PER_SECOND = {"A": 1e9, "B": 1e6}
"""Unit of timestamps: Argoverse 2 counts nanoseconds, nuScenes microseconds."""

_SHOWN = 5


class MissingImagesError(FileNotFoundError):
    """Images that the annotations name are not there; the message has their number and the first few."""


@dataclass(frozen=True)
class LaneIndexSummary:
    """What one index file holds."""

    path: Path
    split: str
    segments: int
    frames: int
    lanes: int
    traffic_elements: int
    images_missing: int


def index_name(subset: str, split: str, layout: str = "centerline") -> str:
    """File name of an index, such as openlane_v2_A_infos_train.pkl."""
    return f"openlane_v2_{subset}{'_ls' if layout == 'segment' else ''}_infos_{file_part(split, 'split')}.pkl"


def build_indexes(
    root: str | os.PathLike,
    subset: str,
    out: str | os.PathLike | None = None,
    *,
    layout: str = "centerline",
    pickles: bool = False,
    allow_missing: bool = False,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda items, total: items,
) -> list[LaneIndexSummary]:
    """Writes the index of every split of a subset.

    Args:
        root: Folder that holds `data_dict_subset_*.json` and the splits' folders.
        subset: "A" (Argoverse 2) or "B" (nuScenes).
        out: Folder of the index files; the root by default.
        layout: "centerline", the format of 2023, or "segment", that of 2024.
        pickles: Read the devkit's preprocessed collections `data_dict_subset_*.pkl` instead of a JSON file per frame.
        allow_missing: Leave out images that are not there, and frames without any, instead of refusing.
        workers: Processes; 1 works in this one.
        progress: Wraps the iterator over finished segments, given their total number.

    Returns:
        One summary per file written.

    Raises:
        AnnotationError: A file is missing or wrong; names it and the field.
        CalibrationError: A calibration or pose that cannot be right.
        MissingImagesError: Images are missing, and that is not allowed.
        InputError, OSError: Another run is at work in the folder, or a file can't be written; older ones are untouched.
    """
    if subset not in FRONT_CAMERAS or layout not in FORMATS:
        raise InputError(f"subset is A or B and layout {' or '.join(FORMATS)}, not {subset!r} and {layout!r}")
    root, out = Path(root), Path(root if out is None else out)
    splits = list_segments(root / f"data_dict_subset_{subset}.json")
    source: FrameSource = FramePickles(root, subset, layout) if pickles else FrameFiles(root, layout)
    parts = {segment: f"{segment.name}-{source.stamp(segment)}" for group in splits.values() for segment in group}
    with ShardFolder.of(out, f"openlane_v2-{subset}-{layout}", SCHEMA_VERSION) as shards:
        _fill(shards, parts, _SegmentReader(root, subset, layout, source), workers, progress)
        absent = [path for record in shards.read(parts.values()) for path in record["missing"]]
        if absent and not allow_missing:
            shards.remove()
            raise MissingImagesError(_missing_message(root, absent))
        summaries = [
            _write(out, subset, layout, split, shards.read(parts[segment] for segment in group))
            for split, group in splits.items()
        ]
        shards.remove()
    return summaries


def _fill(
    shards: ShardFolder,
    parts: dict[ListedSegment, str],
    reader: _SegmentReader,
    workers: int,
    progress: Callable[[Iterable, int], Iterable],
) -> None:
    """Makes the parts that aren't finished, split by split: what frames are read from is loaded for one at a time."""
    missing = [segment for segment, part in parts.items() if not shards.has(part)]

    def made() -> Iterator[None]:
        for split in dict.fromkeys(segment.split for segment in missing):
            jobs = {parts[segment]: segment for segment in missing if segment.split == split}
            with reader.source.loaded(split):
                yield from shards.make(jobs, reader.read, workers)

    for _ in progress(made(), len(missing)):
        pass


def _missing_message(root: Path, absent: list[str]) -> str:
    shown = ", ".join(absent[:_SHOWN]) + (", ..." if len(absent) > _SHOWN else "")
    return (
        f"{root}: {len(absent)} images are missing: {shown}; download them, or leave them out of the index "
        "with --allow-missing"
    )


def _write(out: Path, subset: str, layout: str, split: str, records: list[dict]) -> LaneIndexSummary:
    names = [record.pop("camera_names") for record in records]
    images_missing = sum(len(record.pop("missing")) for record in records)
    records = [record for record in records if record["images"]]
    for position, record in enumerate(records):
        record["sample_idx"] = position
    path = out / index_name(subset, split, layout)
    metainfo = {
        "dataset": "openlane_v2",
        "version": subset,
        "split": split,
        "layout": layout,
        "camera_names": names[0] if names else [],
        "categories": {},
    }
    write_index(path, metainfo, records)
    topologies = [record["lane_topology"] for record in records if record["lane_topology"] is not None]
    return LaneIndexSummary(
        path=path,
        split=split,
        segments=len({record["scene_token"] for record in records}),
        frames=len(records),
        lanes=sum(len(topology["lanes"]) for topology in topologies),
        traffic_elements=sum(len(topology["traffic_boxes"]) for topology in topologies),
        images_missing=images_missing,
    )


@dataclass(frozen=True)
class _SegmentReader:
    """Turns a segment's frames into records.

    Attributes:
        root: Data root.
        subset: "A" or "B".
        layout: "centerline" or "segment".
        source: Where frames are read.
    """

    root: Path
    subset: str
    layout: str
    source: FrameSource

    def read(self, segment: ListedSegment) -> list[dict]:
        """Records of all frames, in time order."""
        return [self._record(segment, timestamp) for timestamp in sorted(segment.timestamps, key=int)]

    def _record(self, segment: ListedSegment, timestamp: str) -> dict:
        frame = self.source.frame(segment, timestamp)
        global_T_ego = read_pose(frame, "pose")
        seconds = int(timestamp) / TICKS_PER_SECOND[self.subset]
        cameras = self._cameras(frame, global_T_ego, seconds)
        absent = [camera["img_path"] for camera in cameras.values() if camera["height"] is None]
        annotation = frame.fields("annotation") if frame.value.get("annotation") else None
        return {
            "token": f"{segment.split}/{segment.name_in_split}/{timestamp}",
            "scene_token": f"{segment.split}/{segment.name_in_split}",
            "timestamp": seconds,
            "ego2global": global_T_ego,
            # There is no LiDAR; everything is in the vehicle's frame.
            "lidar_points": {"lidar_path": None, "lidar2ego": np.eye(4)},
            "images": {name: camera for name, camera in cameras.items() if camera["height"] is not None},
            "instances": [],
            "lane_topology": None if annotation is None else read_topology(annotation, self.layout),
            "camera_names": list(cameras),
            "missing": absent,
        }

    def _cameras(self, frame: Fields, global_T_ego: np.ndarray, seconds: float) -> dict[str, dict[str, Any]]:
        """Entries of all cameras, the front one first; height and width are None where the image is missing."""
        sensors, front = frame.fields("sensor"), FRONT_CAMERAS[self.subset]
        names = [name for name in sensors.value if name != "sd_map"]
        if front not in names or len(names) != NUM_CAMERAS[self.subset]:
            raise AnnotationError(
                f"{sensors.where}: subset {self.subset} has {NUM_CAMERAS[self.subset]} cameras, {front} among them, "
                f"found {', '.join(names) or 'none'}"
            )
        names.remove(front)
        entries = {}
        for name in (front, *names):
            entry = read_camera(sensors.fields(name), global_T_ego)
            size = image_size(self.root / entry["img_path"])
            entries[name] = {**entry, "height": size and size[0], "width": size and size[1], "timestamp": seconds}
        return entries


def image_size(path: Path) -> tuple[int, int] | None:
    """Height and width of an image file from its header; None where there is none.

    Raises:
        AnnotationError: The file is no image.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except FileNotFoundError:
        return None
    except (UnidentifiedImageError, OSError) as error:
        raise AnnotationError(f"{path}: not an image ({error}); download it again") from error
