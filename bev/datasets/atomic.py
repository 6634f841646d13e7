"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def atomic_path(path: str | os.PathLike, suffix: str = ".tmp") -> Iterator[Path]:
    """A temporary file beside `path`, for what writes by name; it replaces `path` when the block ends without an error.

    After any error the temporary file is removed and what stood at `path` stays. Missing folders are made.

    Args:
        path: the file to write.
        suffix: end of the temporary name, where that tells the format.

    Raises:
        OSError: it can't be made or can't replace `path`; the message names the file and says what to do.
    """
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=suffix, dir=path.parent)
        os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with explained(path):
            _apply_default_permissions(temporary)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: str | os.PathLike, mode: str = "wb") -> Iterator[IO]:
    """Opens a temporary file beside `path` that replaces it when the block ends without an error.

    See `atomic_path`.

    Args:
        path: the file to write.
        mode: "wb" for bytes or "w" for UTF-8 text.

    Raises:
        OSError: the disk is full, read-only or over quota; the message names the file and says what to do.
    """
    encoding = "utf-8" if "b" not in mode else None
    with atomic_path(path) as temporary, explained(path), temporary.open(mode, encoding=encoding) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def explained(path: str | os.PathLike) -> Iterator[None]:
    """Inside this block, an error of the file system says which file could not be written and what to do.

    Raises:
        OSError: as the system raised it, with that message.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno,
            f"cannot write {path}: {reason}. Nothing was replaced; free space or choose another folder, then run again",
        ) from error


def _apply_default_permissions(path: Path) -> None:
    # mkstemp makes files that only their owner may read; indexes on shared disks are read by others.
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(0o666 & ~umask)
