"""Columns of the Parquet layout as arrays, and where its images lie in their files.

Each component of a segment is a file of its own, with columns "key.name" that tie rows of different components
together and columns "[Component].name".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np

from bev.datasets.parquet_files import ParquetError, open_parquet
from bev.datasets.waymo.segment_assembly import IMAGE_COLUMN, PACKED

SEGMENT = "key.segment_context_name"
_LENGTH = struct.Struct("<I")
_HEAD = 64
"""Bytes of an image that are searched for first."""


@dataclass(frozen=True)
class PlacedImage:
    """Where an image lies: bytes from the start of the file, or `PACKED`; row group and row in it."""

    offset: int
    length: int
    crc: int
    row: tuple[int, int]


def read_columns(path: str, component: str, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns of a file by name, with the rows in their order.

    Missing values are 0 or "", which is what messages have for them.

    Args:
        path: Local path or URL.
        component: Name of the component, for "[Component]".
        names: Of columns, without "[Component].".

    Returns:
        (R,) arrays, or (R, n) where the column holds lists of one length; names as objects.

    Raises:
        ParquetError: The file can't be read or lacks a column.
    """
    full = {name: name if name.startswith("key.") else f"[{component}].{name}" for name in (SEGMENT, *names)}
    with open_parquet(path) as (_, file):
        missing = [column for column in full.values() if column not in file.schema_arrow.names]
        if missing:
            raise ParquetError(f"{path}: no column {missing[0]}; it is not {component} of the Waymo Open Dataset")
        table = file.read(columns=list(full.values()))
        return {name: _array(table.column(column), f"{path}, column {column}") for name, column in full.items()}


def place_images(path: str) -> Iterator[PlacedImage]:
    """Finds the images of a file, in the order of its rows.

    Waymo's files are not compressed, so that a JPEG lies in them as it is and is read like any part of a file. Where a
    file was compressed, pyarrow has to take its images out of their pages.

    Raises:
        ParquetError: The file can't be read.
    """
    with open_parquet(path) as (source, file):
        for group in range(file.num_row_groups):
            # The raw bytes first: a remote file keeps what it read last, and pyarrow then asks for the same.
            chunk = _plain_chunk(source, file.metadata.row_group(group))
            images = file.read_row_group(group, columns=[IMAGE_COLUMN]).column(0).to_pylist()
            contents = [image or b"" for image in images]
            for row, (image, offset) in enumerate(zip(contents, _offsets(chunk, contents), strict=True)):
                place = offset if offset == PACKED else chunk.start + offset
                yield PlacedImage(place, len(image), google_crc32c.value(image), (group, row))


@dataclass(frozen=True)
class _Chunk:
    """The bytes of a column in a row group, none if they are compressed, and where in the file they begin."""

    data: bytes
    start: int


def _plain_chunk(source: Any, group: Any) -> _Chunk:
    columns = (group.column(number) for number in range(group.num_columns))
    column = next(column for column in columns if column.path_in_schema == IMAGE_COLUMN)
    start = column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
    if column.compression != "UNCOMPRESSED":
        return _Chunk(b"", start)
    source.seek(start)
    return _Chunk(source.read(column.total_compressed_size), start)


def _offsets(chunk: _Chunk, images: Sequence[bytes]) -> Iterator[int]:
    """Where each image begins in a chunk; `PACKED` for those that it doesn't hold as they are."""
    data, place = chunk.data, 0
    for image in images:
        offset = _find(data, image, place)
        if offset == PACKED:
            offset = _find(data, image, 0)  # equal values may be stored once
        if offset == PACKED:
            data = b""  # another encoding, most likely of the whole chunk
        else:
            place = offset + len(image)
        yield offset


def _find(data: bytes, image: bytes, place: int) -> int:
    """Offset of an image behind `place`. Values lie behind their lengths; the end tells images with one head apart."""
    head = _LENGTH.pack(len(image)) + image[:_HEAD]
    while (found := data.find(head, place)) >= 0:
        begin = found + _LENGTH.size
        if data[begin : begin + len(image)] == image:
            return begin
        place = found + 1
    return PACKED


def _array(column: Any, where: str) -> np.ndarray:
    """A column of numbers, of names, or of lists of numbers."""
    import pyarrow

    kind = column.type
    if pyarrow.types.is_fixed_size_list(kind) or pyarrow.types.is_list(kind):
        values = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        if len(values) % max(len(column), 1):
            raise ParquetError(f"{where}: lists of different lengths; download the file again")
        return values.reshape(len(column), -1) if len(column) else values.reshape(0, 0)
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        return np.array(column.fill_null("").to_pylist(), dtype=object)
    return column.fill_null(0).to_numpy()
