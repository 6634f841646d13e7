"""A file backend for archives that stand in for folders, for any data set of any OpenMMLab package."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from bev.datasets.archives import INDEX_SUFFIX, SUFFIXES, find_in_archive

PREFIX = "archive://"


@register_backend("archive", prefixes="archive", force=True)
class ArchiveBackend(LocalBackend):
    """Reads `archive://data/imagenet/train/n01440764/a.JPEG` from wherever it lies below `data/imagenet`.

    That is the file itself, or a `.tar` or `.zip` in place of a folder above it: `train/n01440764.tar`, `train.zip`.
    Listing a folder shows archives as folders. Nothing is unpacked.
    """

    def get(self, filepath: str | Path) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: If it lies neither on the disk nor in an archive.
            ArchiveError: If the archive is damaged.
        """
        path = _local(filepath)
        if path.is_file():
            return path.read_bytes()
        found = find_in_archive(path)
        if found is None or found[1] not in found[0]:
            place = f"{found[0].path} has no {found[1]}" if found else "no archive stands in for a folder above it"
            raise FileNotFoundError(f"{path} doesn't exist, and {place}")
        return found[0].read(found[1])

    def get_text(self, filepath: str | Path, encoding: str = "utf-8") -> str:
        """Text of a file."""
        return self.get(filepath).decode(encoding)

    def exists(self, filepath: str | Path) -> bool:
        """Whether there is such a file or folder."""
        return self.isfile(filepath) or self.isdir(filepath)

    def isfile(self, filepath: str | Path) -> bool:
        """Whether there is such a file."""
        path = _local(filepath)
        found = None if path.exists() else find_in_archive(path)
        return path.is_file() if found is None else found[1] in found[0]

    def isdir(self, filepath: str | Path) -> bool:
        """Whether there is such a folder, or an archive in its place."""
        path = _local(filepath)
        found = None if path.exists() else find_in_archive(path)
        return path.is_dir() if found is None else found[1] in found[0].folders

    @contextmanager
    def get_local_path(self, filepath: str | Path) -> Iterator[str | Path]:
        """Refused for files in archives: what only reads paths can't be served from them.

        Raises:
            FileNotFoundError: If the file itself doesn't lie on the disk.
        """
        path = _local(filepath)
        if not path.is_file():
            raise FileNotFoundError(f"{path} doesn't lie on the disk, and is needed there: unpack its archive")
        yield path

    def list_dir_or_file(
        self,
        dir_path: str | Path,
        list_dir: bool = True,
        list_file: bool = True,
        suffix: str | tuple[str, ...] | None = None,
        recursive: bool = False,
    ) -> Iterator[str]:
        """Names below a folder, relative to it, in alphabetical order.

        Args:
            dir_path: The folder.
            list_dir: Name folders, and archives as folders.
            list_file: Name files.
            suffix: Name only files that end so.
            recursive: Go into folders and archives.

        Raises:
            FileNotFoundError: If there is no such folder.
        """
        for name, is_folder in sorted(self._entries(_local(dir_path)).items()):
            if is_folder:
                if list_dir:
                    yield name
                if recursive:
                    below = self.list_dir_or_file(f"{dir_path}/{name}", list_dir, list_file, suffix, recursive)
                    yield from (f"{name}/{inner}" for inner in below)
            elif list_file and (suffix is None or name.endswith(suffix)):
                yield name

    @staticmethod
    def _entries(path: Path) -> dict[str, bool]:
        """What lies in a folder: name, and whether it is a folder itself."""
        if path.is_dir():
            with os.scandir(path) as listing:
                visible = [e for e in listing if not e.name.startswith(".") and not e.name.endswith(INDEX_SUFFIX)]
            archives = {Path(entry.name).stem: True for entry in visible if entry.name.endswith(SUFFIXES)}
            return archives | {e.name: e.is_dir() for e in visible if not e.name.endswith(SUFFIXES)}
        found = find_in_archive(path)
        if found is None or found[1] not in found[0].folders:
            raise FileNotFoundError(f"{path} is no folder, and no archive stands in its place")
        return found[0].folders[found[1]]


def _local(path: str | Path) -> Path:
    return Path(str(path).removeprefix(PREFIX))
