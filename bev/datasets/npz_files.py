"""Arrays in .npz files: written as a whole or not at all; read without objects, for they may come from a stranger."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import IO

import numpy as np

from bev.datasets.atomic import atomic_write
from bev.datasets.text_files import one_line
from bev.errors import InputError


class ArrayFileError(InputError):
    """A file that is no .npz file of plain arrays, or lacks some; the message says why, but not which file it is."""


def write_arrays(path: str | os.PathLike, arrays: Mapping[str, np.ndarray], compressed: bool = True) -> None:
    """Write a .npz file, atomically.

    Args:
        path: The file.
        arrays: By name.
        compressed: Take longer and less space.

    Raises:
        OSError: It could not be written.
    """
    packed = io.BytesIO()  # NumPy leaves its zip file open, and complaining, when it is interrupted
    save = np.savez_compressed if compressed else np.savez
    save(packed, **dict(arrays))  # type: ignore[arg-type]
    with atomic_write(path) as file:
        file.write(packed.getbuffer())


def read_arrays(file: str | os.PathLike | IO[bytes], names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Arrays of a .npz file by name; nothing in it is unpickled.

    Args:
        file: Path, or an open file.
        names: Those to read; None for all.

    Raises:
        ArrayFileError: It is damaged, something else, or holds objects or no such array.
        OSError: It can't be read.
    """
    try:
        arrays = _read(file, names)
    except (OSError, ArrayFileError):
        raise
    except Exception as error:  # damaged bytes may fail anywhere in zipfile, zlib and NumPy's parser
        raise ArrayFileError(f"not a readable npz file ({one_line(error)})") from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ArrayFileError("a zip file of something else than arrays")
    return arrays


def _read(file: str | os.PathLike | IO[bytes], names: Sequence[str] | None) -> dict[str, np.ndarray]:
    content = np.load(file, allow_pickle=False)
    if not isinstance(content, np.lib.npyio.NpzFile):
        raise ArrayFileError("a single array, no npz file")
    with content:
        missing = set(names or ()) - set(content.files)
        if missing:
            raise ArrayFileError(f"it has no {', '.join(sorted(missing))}")
        return {name: content[name] for name in names or content.files}
