"""Reading images from files or parts of files, with JPEGs decoded at a fraction of their size where that is enough."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import fsspec
import google_crc32c
import numpy as np

from bev.datasets.parquet_files import ParquetCell, ParquetError, read_cell
from bev.errors import InputError

_REDUCED_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG", b"IEND"
_TAIL = 1024  # bytes in which the end marker is sought: writers may append padding or metadata


class ImageReadError(InputError):
    """An image file is missing, truncated, or not what the index says."""


class FilePart(NamedTuple):
    """Where an image lies inside a larger file, such as one of records.

    Attributes:
        offset: Bytes from the start of the file.
        length: Bytes.
        crc: CRC-32C of these bytes.
    """

    offset: int
    length: int
    crc: int

    @property
    def place(self) -> str:
        """What errors call it."""
        return f"image at byte {self.offset}"


def read_image(
    path: str, size: tuple[int, int], min_scale: float = 1.0, part: FilePart | ParquetCell | None = None
) -> tuple[np.ndarray, int]:
    """Read an image.

    Calibration belongs to the pixels as stored, so an EXIF orientation is not applied.

    Args:
        path: A file that OpenCV can decode, or that holds such a one; a local path, or a URL that fsspec understands.
        size: Height and width in pixels that the index gives for the file.
        min_scale: JPEGs are decoded at 1/8, 1/4, 1/2 or full size, the smallest that is not below this fraction.
        part: Where in the file the image lies; None where it is the file.

    Returns:
        The image (h, w, 3), uint8 BGR, and the divisor k of its size: h = ceil(height / k) and pixel coordinates are
        exactly divided by k.

    Raises:
        ImageReadError: If the file is missing, truncated, undecodable, of another size than the index says, or if the
            part has another checksum.
    """
    where = path if part is None else f"{path}, {part.place}"
    try:
        data = _read_bytes(path, part)
    except (OSError, ParquetError) as error:
        raise ImageReadError(f"{where}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if part is not None and (len(data) < part.length or google_crc32c.value(data) != part.crc):
        raise ImageReadError(f"{where}: its {part.length} bytes don't have the checksum that the index gives for them")
    divisor = _largest_divisor(min_scale) if data.startswith(_JPEG_START) else 1
    image = decode_image(data, where, _REDUCED_FLAGS[divisor] | cv2.IMREAD_IGNORE_ORIENTATION)
    expected = (-(-size[0] // divisor), -(-size[1] // divisor))
    if image.shape[:2] != expected:
        found = f"{image.shape[1] * divisor}x{image.shape[0] * divisor}"
        raise ImageReadError(
            f"{where}: the image is {found} pixels, but calibrated for {size[1]}x{size[0]} by the index"
        )
    return image, divisor


def decode_image(data: bytes, where: str, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """Decode the bytes of an image file: (H, W, 3), uint8 BGR.

    Args:
        data: The whole file.
        where: What errors call it.
        flags: OpenCV's; by default a JPEG is turned as its EXIF orientation says.

    Raises:
        ImageReadError: If it is cut short, or no image.
    """
    _check_complete(data, where)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise ImageReadError(f"{where}: not an image that OpenCV can decode")
    return image


def _read_bytes(path: str, part: FilePart | ParquetCell | None) -> bytes:
    if isinstance(part, ParquetCell):
        return read_cell(path, part)
    if "://" in path:
        files, name = fsspec.core.url_to_fs(path)
        return files.cat_file(name, *((None, None) if part is None else (part.offset, part.offset + part.length)))
    if part is None:
        return Path(path).read_bytes()
    with Path(path).open("rb", buffering=0) as file:
        file.seek(part.offset)
        return file.read(part.length)


def _check_complete(data: bytes, path: str) -> None:
    """Refuse files without an end marker: OpenCV decodes a truncated JPEG and leaves the rest grey."""
    tail = data[-_TAIL:]
    jpeg_cut = data.startswith(_JPEG_START) and _JPEG_END not in tail
    png_cut = data.startswith(_PNG_START) and _PNG_END not in tail
    if not data or jpeg_cut or png_cut:
        raise ImageReadError(f"{path}: truncated image file ({len(data)} bytes)")


def _largest_divisor(min_scale: float) -> int:
    """Largest k of 1, 2, 4, 8 with 1 / k >= min_scale."""
    return max((k for k in _REDUCED_FLAGS if 1 / k >= min_scale), default=1)
