"""Walking through a serialised protobuf message without building it: what lies where.

A Waymo frame is megabytes of images and LiDAR around a few kilobytes of calibration and labels. With the places of its
fields, the small ones are parsed and the images stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import DecodeError

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5


def fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int, int]]:
    """Yields (number, tag, begin, end) of each field of a message, in the order in which they lie there.

    data[tag:end] is the whole field; data[begin:end] is its value, without the length where it has one.

    Args:
        data: What holds the message.
        start: Where it begins.
        end: Where it ends; the end of `data` by default.

    Raises:
        DecodeError: It ends inside a field, or has one of a kind that protobuf doesn't have.
    """
    place, end = start, len(data) if end is None else end
    while place < end:
        tag = place
        key, place = _varint(data, place, end)
        kind = key & 7
        if kind == BYTES:
            length, place = _varint(data, place, end)
        elif kind == VARINT:
            length = _varint(data, place, end)[1] - place
        elif kind in (FIXED_64, FIXED_32):
            length = 8 if kind == FIXED_64 else 4
        else:
            raise DecodeError(f"byte {tag}: wire type {kind}")
        if place + length > end:
            raise DecodeError(f"byte {tag}: field {key >> 3} of {length} bytes ends beyond its message")
        yield key >> 3, tag, place, place + length
        place += length


def _varint(data: bytes, place: int, end: int) -> tuple[int, int]:
    """The number at a place, and the place after it."""
    value = shift = 0
    while place < end and shift < 64:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
        shift += 7
    raise DecodeError(f"byte {place}: a number has no end")
