"""The index of one segment, from its file of records."""

from __future__ import annotations

import os
import warnings
from typing import Any

from google.protobuf.message import DecodeError

from bev.datasets.waymo.frame_reading import read_context, read_frame
from bev.datasets.waymo.segment import Segment, SegmentError
from bev.datasets.waymo.segment_assembly import FrameEntry, assemble
from bev.datasets.waymo.tfrecord import RecordError, RecordFile


def read_segment(
    path: str, name: str, cache_dir: str | os.PathLike | None = None, skip_damaged: bool = False
) -> Segment:
    """Reads the frames of a file, whose checksums are verified; images aren't decoded.

    Args:
        path: Local path or URL of the file.
        name: Its path relative to the data root, which the index will hold.
        cache_dir: Where the places of its records are kept, see `RecordFile`.
        skip_damaged: Warn of damaged records and leave them out.

    Raises:
        RecordError: A record is damaged or none of `Frame`; the message has file and byte.
        CalibrationError: A pose or intrinsic matrix can't be right.
        SegmentError: The file has no frame, or frames of several segments.
    """
    records = RecordFile(path, cache_dir, skip_damaged)
    entries: list[tuple[Any, FrameEntry]] = []
    for number, data in records.items():
        offset = int(records.index.offsets[number])
        where = f"{path}, record at byte {offset}"
        try:
            entries.append(read_frame(data, offset, where))
        except DecodeError as error:
            problem = f"{where}: not a frame ({error}); download the file again"
            if not skip_damaged:
                raise RecordError(problem) from error
            warnings.warn(f"skipped: {problem}", stacklevel=2)
    if not entries:
        raise SegmentError(f"{path}: no frame can be read; remove or replace this file")
    entries.sort(key=lambda entry: entry[1].timestamp)
    context = entries[0][0]
    others = {other.name for other, _ in entries} - {context.name}
    if others:
        raise SegmentError(f"{path}: frames of {context.name} and {others.pop()}; a file holds one segment")
    return assemble(path, name, read_context(context, path), [frame for _, frame in entries])
