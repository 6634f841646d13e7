"""Files inside tar and zip archives, read in place.

A tar file has no table of contents; it is read through once, and what was found is kept beside it as
`ARCHIVE.index.json`, where that folder can be written to.
"""

from __future__ import annotations

import functools
import json
import os
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bev.datasets.atomic import atomic_write
from bev.errors import InputError

SUFFIXES = (".tar", ".zip")
INDEX_SUFFIX = ".index.json"


class ArchiveError(InputError):
    """An archive that can't be read, or lacks a file; the message names both."""


class Archive(ABC):
    """The files of one archive, and the folders that they lie in. Safe to use in forked processes.

    Attributes:
        path: The archive.
        folders: Name and kind (True for a folder) of what lies in each folder; "" is the archive itself.
    """

    def __init__(self, path: Path, names: list[str]) -> None:
        """Take the names of its files, which subclasses know how to read."""
        self.path = path
        self._stored = {_clean(name): name for name in names}
        top = f"{path.stem}/"
        if self._stored and all(name.startswith(top) for name in self._stored):  # a folder packed as a whole
            self._stored = {name.removeprefix(top): stored for name, stored in self._stored.items()}
        self.folders: dict[str, dict[str, bool]] = {"": {}}
        for name in self._stored:
            self._add(name)

    def __contains__(self, name: str) -> bool:
        return name in self._stored

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            ArchiveError: If there is no such file, or it is damaged.
        """
        if name not in self._stored:
            raise ArchiveError(f"{self.path} has no file {name}")
        return self._read(self._stored[name])

    @abstractmethod
    def _read(self, stored: str) -> bytes:
        """Content of a file, by its name in the archive."""

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
        self._places = _tar_places(path)
        super().__init__(path, list(self._places))
        self._file = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def _read(self, stored: str) -> bytes:
        offset, size = self._places[stored]
        content = os.pread(self._file, size, offset)  # moves no position that another process shares
        if len(content) != size:
            raise ArchiveError(f"{self.path} is cut short: {stored} has {len(content)} of {size} bytes")
        return content


class ZipArchive(Archive):
    """A zip file, compressed or not."""

    def __init__(self, path: Path) -> None:
        self._opened: tuple[int, zipfile.ZipFile] | None = None
        self.path = path
        super().__init__(path, [info.filename for info in self._zip().infolist() if not info.is_dir()])

    def _read(self, stored: str) -> bytes:
        try:
            return self._zip().read(stored)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise ArchiveError(f"{self.path}: {stored} can't be read ({error})") from error

    def _zip(self) -> zipfile.ZipFile:
        """The file as this process opened it: one that was opened before a fork shares its position."""
        if self._opened is None or self._opened[0] != os.getpid():
            try:
                self._opened = os.getpid(), zipfile.ZipFile(self.path)
            except zipfile.BadZipFile as error:
                raise ArchiveError(f"{self.path} is no zip file, or cut short ({error})") from error
        return self._opened[1]


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
    try:
        with atomic_write(index, "w") as file:
            json.dump({"archive": stamp, "files": places}, file)
    except OSError:
        pass  # a read-only folder: read through again next time
    return places


def _scan(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.isreg() and not member.issparse():
                    yield member.name, (member.offset_data, member.size)
    except tarfile.TarError as error:
        raise ArchiveError(f"{path} is no uncompressed tar file, or cut short ({error})") from error
