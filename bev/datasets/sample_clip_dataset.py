"""Clips of an index of samples, as `bev.datasets.index_io` describes it."""

from __future__ import annotations

import gc
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bev.datasets.clip_dataset import ClipDataset
from bev.datasets.frame_table import BoxFilter, FrameTable, Record, build_frame_table
from bev.datasets.index_io import IndexFormatError, of_entries, read_samples, well_formed
from bev.errors import InputError

SAMPLE_FIELDS = ("scene_token", "timestamp", "ego2global", "lidar_points", "images")
"""What a sample of an index needs to be a frame of a clip."""


class SampleClipDataset(ClipDataset):
    """Every sample of an index as a clip, sorted by scene, in the order of the index, and by time.

    Raises:
        InputError: As for `ClipDataset`; or clips of several frames are wanted of samples without scenes.
        IndexFormatError: If the index is of another data set, or an entry holds something else than it should.
        CalibrationError: If a pose or intrinsic matrix of the index is unusable.
    """

    @abstractmethod
    def _box_filter(self, metainfo: Mapping[str, Any]) -> BoxFilter:
        """Which annotated boxes become ground truth."""

    @abstractmethod
    def _read_labels(self, metainfo: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Prepare what `_labels` will give, of records in the order of rows; returns further metainfo."""

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the index into arrays; what mmengine keeps and may take subsets of are row numbers only."""
        with _paused_garbage_collection(), well_formed(self.ann_file):
            index = read_samples(self.ann_file, *SAMPLE_FIELDS)
            metainfo, records = index["metainfo"], index["data_list"]
            self._check(metainfo, records)
            box_filter = self._box_filter(metainfo)

            def table_of(some: Sequence[Record]) -> FrameTable:
                return build_frame_table(_sort_by_scene(some), box_filter, self.bev_frame, self.cameras)

            self._set_up(of_entries(self.ann_file, records, table_of), metainfo)
            self._metainfo |= self._read_labels(metainfo, _sort_by_scene(records))
        return [{"row": row} for row in range(len(self._table))]

    def _check(self, metainfo: Mapping[str, Any], records: Sequence[Record]) -> None:
        """The index must be of this data set, and clips of several frames need to know where scenes end."""
        own = self.METAINFO["dataset"]
        if metainfo.get("dataset", own) != own:
            raise IndexFormatError(
                f"{self.ann_file}: an index of {metainfo['dataset']!r}; {type(self).__name__} reads those of {own!r}"
            )
        scenes = [(record["token"], record["scene_token"]) for record in records]
        nameless = [token for token, scene in scenes if not isinstance(scene, str) or not scene]
        if len(self.frame_offsets) > 1 and nameless:
            raise InputError(
                f"{self.ann_file}: sample {nameless[0]} has no scene_token, so frames {self.frame_offsets} cannot be "
                "found; build the index with tools/create_data.py"
            )


@contextmanager
def _paused_garbage_collection() -> Iterator[None]:
    """Millions of small objects come into being here, none of them in cycles; looking for such doubles the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _sort_by_scene(records: Sequence[Record]) -> list[Record]:
    """Sort by scene, in order of first appearance, and by time."""
    order: dict[str, int] = {}
    for record in records:
        order.setdefault(record["scene_token"], len(order))
    return sorted(records, key=lambda record: (order[record["scene_token"]], record["timestamp"]))
