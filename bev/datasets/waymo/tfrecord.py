"""TFRecord files read in place: records are found through an index of their offsets, and checked when they are read.

A record is: length (8 bytes, little endian), masked CRC-32C of the length (4), data, masked CRC-32C of the data (4).
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import fsspec
import google_crc32c
import numpy as np

from bev.datasets.atomic import atomic_write
from bev.datasets.npz_files import ArrayFileError, read_arrays, write_arrays
from bev.errors import InputError

HEADER = struct.Struct("<QI")
FOOTER = struct.Struct("<I")
MASK_DELTA = 0xA282EAD8
INDEX_SUFFIX = ".index.npz"


class RecordError(InputError):
    """A damaged record; the message names the file, the offset and what to do."""


class _Bytes(Protocol):
    """Where the bytes of a file come from."""

    size: int
    stamp: str

    def read(self, start: int, end: int) -> bytes:
        """Bytes from start to end, fewer at the end of the file."""


class _LocalFile:
    """A file of this machine, mapped into memory at its first use, in each process anew."""

    def __init__(self, path: str) -> None:
        self._path = path
        status = Path(path).stat()
        self.size, self.stamp = status.st_size, f"{status.st_size}-{status.st_mtime_ns}"
        self._map: mmap.mmap | None = None

    def read(self, start: int, end: int) -> bytes:
        if not self.size:
            return b""  # an empty file can't be mapped
        if self._map is None:
            with Path(self._path).open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._map[start:end]

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_map": None}


class _RemoteFile:
    """A file of an object store, read range by range."""

    def __init__(self, url: str) -> None:
        self._files, self._path = fsspec.core.url_to_fs(url)
        self.size, self.stamp = self._files.size(self._path), str(self._files.ukey(self._path))

    def read(self, start: int, end: int) -> bytes:
        return self._files.cat_file(self._path, start=start, end=min(end, self.size))


@dataclass(frozen=True)
class RecordIndex:
    """Where the records of a file are.

    Attributes:
        offsets: (R,) int64 bytes from the start of the file to each record's length.
        lengths: (R,) int64 bytes of each record's data.
        problem: What ended the scan before the end of the file; "" where it is whole.
    """

    offsets: np.ndarray
    lengths: np.ndarray
    problem: str = ""


class RecordFile:
    """Random access to the records of one file.

    Args:
        path: A local path, or a URL that fsspec understands, such as gs://bucket/segment.tfrecord.
        cache_dir: Folder for the index. Without one the index of a local file is kept beside it where that folder
            can be written, and that of a remote file isn't kept.
        skip_damaged: Warn of damaged records and leave them out, instead of raising an error.

    Raises:
        RecordError: A length is damaged or the last record is cut off; with `skip_damaged`, what follows is left out.
        FileNotFoundError: There is no such file.
    """

    def __init__(
        self, path: str | os.PathLike, cache_dir: str | os.PathLike | None = None, skip_damaged: bool = False
    ) -> None:
        self.path = os.fspath(path)
        self.skip_damaged = skip_damaged
        remote = "://" in self.path
        self._bytes: _Bytes = _RemoteFile(self.path) if remote else _LocalFile(self.path)
        self.index = self._cached_index(_index_path(self.path, cache_dir, remote))
        if self.index.problem:
            self._report(self.index.problem)

    def __len__(self) -> int:
        return len(self.index.offsets)

    def read(self, number: int) -> bytes:
        """The data of a record, checked.

        Raises:
            RecordError: It is cut off or its checksum is wrong, whether or not damaged records are skipped.
            IndexError: There is no such record.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"{self.path} has {len(self)} records; there is no record {number}")
        offset, length = int(self.index.offsets[number]), int(self.index.lengths[number])
        start = offset + HEADER.size
        stored = self._bytes.read(start, start + length + FOOTER.size)
        data = stored[:length]
        if len(stored) < length + FOOTER.size or masked_crc(data) != FOOTER.unpack(stored[length:])[0]:
            raise RecordError(
                f"{self.path}, record at byte {offset}: its {length} bytes don't have their checksum; "
                "download the file again, or skip damaged records"
            )
        return data

    def __iter__(self) -> Iterator[bytes]:
        for _, data in self.items():
            yield data

    def items(self) -> Iterator[tuple[int, bytes]]:
        """Numbers and data of all records; damaged ones are skipped if that was asked for.

        Raises:
            RecordError: A record is damaged and those aren't skipped.
        """
        for number in range(len(self)):
            try:
                data = self.read(number)
            except RecordError as error:
                self._report(str(error), error)
                continue
            yield number, data

    def _report(self, problem: str, cause: Exception | None = None) -> None:
        if not self.skip_damaged:
            raise RecordError(problem) from cause
        warnings.warn(f"skipped: {problem}", stacklevel=3)

    def _cached_index(self, cache: Path | None) -> RecordIndex:
        kept = _read_index(cache, self._bytes.stamp) if cache else None
        if kept is not None:
            return kept
        index = scan_records(self.path, self._bytes)
        # A file that is damaged now may be repaired; its index is made anew each time.
        if cache and not index.problem and self._may_write(cache):
            _write_index(cache, index, self._bytes.stamp)
        return index

    def _may_write(self, cache: Path) -> bool:
        """Data folders are often read-only; a cache folder that can't be written is an error of its own."""
        return cache.parent != Path(self.path).parent or os.access(cache.parent, os.W_OK)


def masked_crc(data: bytes) -> int:
    """The checksum as the format stores it."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFFFFFF


def frame_record(data: bytes) -> bytes:
    """A record with its length and checksums, as files hold it."""
    length = struct.pack("<Q", len(data))
    return length + FOOTER.pack(masked_crc(length)) + data + FOOTER.pack(masked_crc(data))


def write_records(path: str | os.PathLike, records: Iterable[bytes]) -> None:
    """Writes a file of records, atomically.

    Raises:
        OSError: It could not be written; the old file, if any, is untouched.
    """
    with atomic_write(path) as file:
        for data in records:
            file.write(frame_record(data))


def scan_records(path: str, source: _Bytes) -> RecordIndex:
    """Finds all records by their lengths, whose checksums are verified; data isn't read.

    Args:
        path: What errors call the file.
        source: Its bytes.
    """
    offsets, lengths, offset, problem = [], [], 0, ""
    while offset < source.size:
        header = source.read(offset, offset + HEADER.size)
        if len(header) < HEADER.size:
            problem = f"{path}, record at byte {offset}: the file ends within its length"
            break
        length, crc = HEADER.unpack(header)
        if masked_crc(header[:8]) != crc:
            problem = f"{path}, record at byte {offset}: its length doesn't have its checksum, what follows is lost"
            break
        end = offset + HEADER.size + length + FOOTER.size
        if end > source.size:
            problem = f"{path}, record at byte {offset}: the file ends at byte {source.size} of {end}"
            break
        offsets.append(offset)
        lengths.append(length)
        offset = end
    if problem:
        problem += f"; {len(offsets)} records before it are whole. Download the file again, or skip damaged records"
    return RecordIndex(np.array(offsets, dtype=np.int64), np.array(lengths, dtype=np.int64), problem)


def _index_path(path: str, cache_dir: str | os.PathLike | None, remote: bool) -> Path | None:
    if cache_dir is not None:
        # Segments of two data sets may have one name.
        digest = hashlib.sha256((path if remote else str(Path(path).resolve())).encode()).hexdigest()[:12]
        return Path(cache_dir) / f"{path.rsplit('/', 1)[-1]}.{digest}{INDEX_SUFFIX}"
    return None if remote else Path(path + INDEX_SUFFIX)


def _read_index(cache: Path, stamp: str) -> RecordIndex | None:
    try:
        arrays = read_arrays(cache, ("stamp", "offsets", "lengths"))
    except (OSError, ArrayFileError):
        return None
    return RecordIndex(arrays["offsets"], arrays["lengths"]) if str(arrays["stamp"]) == stamp else None


def _write_index(cache: Path, index: RecordIndex, stamp: str) -> None:
    arrays = {"offsets": index.offsets, "lengths": index.lengths, "stamp": np.array(stamp)}
    write_arrays(cache, arrays, compressed=False)
