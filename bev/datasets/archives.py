"""Files inside tar and zip archives, read in place.

A tar file has no table of contents; it is read through once, and what was found is kept beside it as
`ARCHIVE.index.json`, where that folder can be written to. Processes share the places of the files in archives that were
opened before they were forked.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import struct
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from bev.datasets.text_files import write_json
from bev.errors import InputError

SUFFIXES = (".tar", ".zip")
INDEX_SUFFIX = ".index.json"

_MAX_OPEN = 64
"""Archives that a process has open at once: a data set may have thousands, and a process 1024 files."""

_MAX_READ = 2**26
"""Bytes asked for at once: a damaged size must not reserve all memory."""

_ZIP_MEMBER = np.dtype(
    [("start", "u8"), ("packed", "u8"), ("size", "u8"), ("checksum", "u4"), ("method", "u2"), ("encrypted", "?")]
)
_ZIP_HEADER_SIZE = 30
_ZIP_HEADER_MAGIC = b"PK\x03\x04"


class ArchiveError(InputError):
    """An archive that can't be read, or lacks a file; the message names both."""


class Archive(ABC):
    """The files of one archive, and the folders that they lie in. Safe to use in forked processes.

    Attributes:
        path: The archive.
        folders: Name and kind (True for a folder) of what lies in each folder; "" is the archive itself.
    """

    def __init__(self, path: Path, names: list[str]) -> None:
        """Take the names of its files, in the order in which subclasses know their places."""
        self.path = path
        state = path.stat()
        self._state = state.st_size, state.st_mtime_ns
        self._rows = {_clean(name): row for row, name in enumerate(names)}
        top = f"{path.stem}/"
        if self._rows and all(name.startswith(top) for name in self._rows):  # a folder packed as a whole
            self._rows = {name.removeprefix(top): row for name, row in self._rows.items()}
        self.folders: dict[str, dict[str, bool]] = {"": {}}
        for name in self._rows:
            self._add(name)

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            ArchiveError: If there is no such file, or it is damaged.
        """
        if name not in self._rows:
            raise ArchiveError(f"{self.path} has no file {name}")
        return self._read(self._rows[name], name)

    @abstractmethod
    def _read(self, row: int, name: str) -> bytes:
        """Content of a file, by its position among the names; `name` is for messages."""

    def _bytes(self, offset: int, size: int) -> bytes:
        """A range of the archive, or what there is of it."""
        file, parts = _opened(self.path, self._state), []
        # pread moves no position that another process shares
        while size > 0 and (part := os.pread(file.number, min(size, _MAX_READ), offset)):
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _add(self, name: str) -> None:
        is_folder = False
        while name:
            parent, _, own = name.rpartition("/")
            known = parent in self.folders
            self.folders.setdefault(parent, {})[own] = is_folder
            if known:
                return
            name, is_folder = parent, True


class TarArchive(Archive):
    """An uncompressed tar file."""

    def __init__(self, path: Path) -> None:
        places = _tar_places(path)
        super().__init__(path, list(places))
        self._places = np.array(list(places.values()), np.int64).reshape(-1, 2)

    def _read(self, row: int, name: str) -> bytes:
        offset, size = self._places[row].tolist()
        content = self._bytes(offset, size)
        if len(content) != size:
            raise ArchiveError(f"{self.path} is cut short: {name} has {len(content)} of {size} bytes")
        return content


class ZipArchive(Archive):
    """A zip file whose members are deflated or stored as they are."""

    def __init__(self, path: Path) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                files = [info for info in archive.infolist() if not info.is_dir()]
            members = [
                (f.header_offset, f.compress_size, f.file_size, f.CRC, f.compress_type, f.flag_bits & 1) for f in files
            ]
            self._members = np.array(members, _ZIP_MEMBER)
        except (zipfile.BadZipFile, OverflowError) as error:
            raise ArchiveError(f"{path} is no zip file, or cut short ({error})") from error
        super().__init__(path, [info.filename for info in files])

    def _read(self, row: int, name: str) -> bytes:
        try:
            return self._content(*self._members[row].item())
        except (zipfile.BadZipFile, zlib.error) as error:
            raise ArchiveError(f"{self.path}: {name} can't be read ({error})") from error

    def _content(self, start: int, packed: int, size: int, checksum: int, method: int, encrypted: bool) -> bytes:
        """What a member holds, from its row of the table."""
        if encrypted:
            raise zipfile.BadZipFile("it is encrypted; pack the archive again without a password")
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise zipfile.BadZipFile(f"it is compressed by method {method}; pack the archive again, stored or deflated")
        header = self._bytes(start, _ZIP_HEADER_SIZE)
        if len(header) < _ZIP_HEADER_SIZE or not header.startswith(_ZIP_HEADER_MAGIC):
            raise zipfile.BadZipFile("there is no header where it should begin")
        # The table of contents has a name and an extra field of its own, of other lengths.
        content = self._bytes(start + len(header) + sum(struct.unpack_from("<HH", header, 26)), packed)
        if method == zipfile.ZIP_DEFLATED:
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size + 1)
        if len(content) != size or zlib.crc32(content) != checksum:
            raise zipfile.BadZipFile("its content doesn't fit its size and checksum")
        return content


class _OpenFile:
    """An open file, closed once neither the cache nor a reader has it."""

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "number"):
            os.close(self.number)


@functools.lru_cache(maxsize=_MAX_OPEN)
def _opened(path: Path, state: tuple[int, int]) -> _OpenFile:
    """An archive's file; `state` is its size and time, as a changed one is opened again."""
    return _OpenFile(path)


def open_archive(path: Path) -> Archive:
    """The archive at `path`; each is opened once, and again when it has changed.

    Raises:
        ArchiveError: If it can't be read.
        OSError: If it can't be opened.
    """
    state = path.stat()
    return _open(path, state.st_size, state.st_mtime_ns)


def find_in_archive(path: Path) -> tuple[Archive, str] | None:
    """Archive that stands in for a folder above `path`, or for `path`, and the name inside; None where there is none.

    `train/n01/a.jpg` may lie in `train/n01.tar` as `a.jpg`, or in `train.zip` as `n01/a.jpg`.
    """
    inside: list[str] = []
    for folder in (path, *path.parents):
        for suffix in SUFFIXES:
            archive = folder.with_name(folder.name + suffix) if folder.name else None
            if archive is not None and archive.is_file():
                return open_archive(archive), "/".join(reversed(inside))
        inside.append(folder.name)
    return None


@functools.lru_cache(maxsize=4096)
def _open(path: Path, size: int, modified: int) -> Archive:
    return ZipArchive(path) if path.suffix == ".zip" else TarArchive(path)


def _clean(name: str) -> str:
    return PurePosixPath(name).as_posix().removeprefix("/")


def _tar_places(path: Path) -> dict[str, tuple[int, int]]:
    """Offset and size in bytes of each regular file, from the index if it is up to date."""
    state = path.stat()
    index = path.with_name(path.name + INDEX_SUFFIX)
    stamp = [state.st_size, state.st_mtime_ns]
    try:
        known = json.loads(index.read_text())
        if known["archive"] == stamp:
            return {name: (int(offset), int(size)) for name, (offset, size) in known["files"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no index, or none of ours: the archive itself is read
    places = dict(_scan(path))
    with contextlib.suppress(OSError):  # a read-only folder: read through again next time
        write_json(index, {"archive": stamp, "files": places})
    return places


def _scan(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.isreg() and not member.issparse():
                    yield member.name, (member.offset_data, member.size)
    except tarfile.TarError as error:
        raise ArchiveError(f"{path} is no uncompressed tar file, or cut short ({error})") from error
