"""Finished parts of an index that is being built, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bev.datasets.index_io import IndexFormatError, read_plain_pickle, write_index
from bev.datasets.parallel import run_forked
from bev.datasets.text_files import file_part

Job = TypeVar("Job")

_KEPT = (".pkl", ".npz", ".tmp")
"""Endings of what lies in a folder: parts, caches of their makers, and what a kill left half-written."""


@dataclass(frozen=True)
class ShardFolder:
    """One file per finished part, for one state of the source.

    Attributes:
        path: The folder; made with the first part.
    """

    path: Path

    @classmethod
    def of(cls, out: str | os.PathLike, stem: str, fingerprint: str) -> ShardFolder:
        """The folder for a state of the source; parts of other states are thrown away.

        Args:
            out: Folder of the index files.
            stem: Says what is built.
            fingerprint: Changes when the parts have to be made anew.
        """
        beginning = f".{stem}-"
        path = Path(out) / f"{beginning}{hashlib.sha256(fingerprint.encode()).hexdigest()[:12]}"
        # Somebody's backup may begin alike, so it takes all of the name, and the content, to tell a folder of parts.
        own = re.compile(re.escape(Path(beginning).name) + "[0-9a-f]{12}")
        for other in path.parent.iterdir() if path.parent.is_dir() else ():
            if other != path and own.fullmatch(other.name) and _holds_parts_alone(other):
                shutil.rmtree(other, ignore_errors=True)
        return cls(path)

    def has(self, name: str) -> bool:
        """Whether a part is finished and readable."""
        if not self._file(name).is_file():
            return False
        try:
            content = read_plain_pickle(self._file(name))
        except IndexFormatError:
            return False
        return isinstance(content, dict) and isinstance(content.get("data_list"), list)

    def fill(
        self,
        jobs: Mapping[str, Job],
        make: Callable[[Job], list[dict]],
        workers: int = 1,
        progress: Callable[[Iterable, int], Iterable] = lambda items, total: items,
    ) -> None:
        """Makes the parts that aren't finished, in several processes.

        Args:
            jobs: What each part is made from, by name.
            make: Gives the entries of a part.
            workers: Processes; 1 works in this one.
            progress: Wraps the iterator over finished parts, given their total number.
        """
        missing = {name: job for name, job in jobs.items() if not self.has(name)}
        for _ in progress(self.make(missing, make, workers), len(missing)):
            pass

    def make(self, jobs: Mapping[str, Job], make: Callable[[Job], list[dict]], workers: int = 1) -> Iterator[None]:
        """Makes parts, finished or not; yields as each is done. The arguments are those of `fill`."""
        yield from run_forked(lambda name: self.write(name, make(jobs[name])), list(jobs), workers)

    def write(self, name: str, entries: list[dict]) -> None:
        """Stores a finished part, atomically."""
        write_index(self._file(name), {"part": name}, entries)

    def read(self, name: str) -> list[dict]:
        """The entries of a finished part."""
        return read_plain_pickle(self._file(name))["data_list"]

    def remove(self) -> None:
        """Deletes all parts."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _file(self, name: str) -> Path:
        return self.path / f"{file_part(name, self.path)}.pkl"


def _holds_parts_alone(folder: Path) -> bool:
    return folder.is_dir() and all(path.is_file() and path.suffix in _KEPT for path in folder.iterdir())
