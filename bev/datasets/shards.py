"""Finished parts of an index that is being built, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bev.datasets.atomic import explained
from bev.datasets.index_io import IndexFormatError, read_plain_pickle, write_index
from bev.datasets.parallel import run_forked
from bev.datasets.text_files import file_part
from bev.errors import InputError

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
    @contextmanager
    def of(cls, out: str | os.PathLike, stem: str, fingerprint: str) -> Iterator[ShardFolder]:
        """The folder for a state of the source, this run's alone inside the block; parts of other states are removed.

        Args:
            out: Folder of the index files.
            stem: Says what is built.
            fingerprint: Changes when the parts have to be made anew.

        Raises:
            InputError: Another run has it.
            OSError: A file beside it can't be written.
        """
        beginning = f".{stem}-"
        path = Path(out) / f"{beginning}{hashlib.sha256(fingerprint.encode()).hexdigest()[:12]}"
        # Somebody's backup may begin alike, so it takes all of the name, and the content, to tell a folder of parts.
        own = re.compile(re.escape(Path(beginning).name) + "[0-9a-f]{12}")
        with _only_run(Path(out) / f".{stem}.lock"):
            for other in path.parent.iterdir():
                if other != path and own.fullmatch(other.name) and _holds_parts_alone(other):
                    shutil.rmtree(other, ignore_errors=True)
            yield cls(path)

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

    def read(self, names: Iterable[str]) -> list[dict]:
        """The entries of finished parts, one part after the other."""
        return [entry for name in names for entry in read_plain_pickle(self._file(name))["data_list"]]

    def remove(self) -> None:
        """Deletes all parts."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _file(self, name: str) -> Path:
        return self.path / f"{file_part(name, self.path)}.pkl"


@contextmanager
def _only_run(lock: Path) -> Iterator[None]:
    """Inside this block no other process is in it with the same file, which is gone afterwards.

    A process that is killed leaves the file, which hinders nobody.
    """
    with explained(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(lock) from None
        except OSError:
            pass  # a file system without locks
        if not lock.exists() or not os.path.samestat(os.fstat(file.fileno()), lock.stat()):
            raise _taken(lock)  # by a run that ended between these lines, or one that started since
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _taken(lock: Path) -> InputError:
    return InputError(f"another run is at work in {lock.parent} ({lock.name}); wait for its end, then start this again")


def _holds_parts_alone(folder: Path) -> bool:
    return folder.is_dir() and all(path.is_file() and path.suffix in _KEPT for path in folder.iterdir())
