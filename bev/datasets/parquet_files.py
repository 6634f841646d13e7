"""Parquet files, and images that are packed in one. pyarrow is imported at the first use, as few data sets need it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import fsspec

from bev.errors import InputError


class ParquetError(InputError):
    """A Parquet file that can't be read, or lacks what it should hold; the message says which and what to do."""


class ParquetCell(NamedTuple):
    """Where an image lies in a table whose pages are compressed.

    Attributes:
        column: Name of the column.
        row_group: Number of the row group.
        row: Number of the row in it.
        length: Bytes of the image.
        crc: CRC-32C of these bytes.
    """

    column: str
    row_group: int
    row: int
    length: int
    crc: int

    @property
    def place(self) -> str:
        """What errors call it."""
        return f"image in row {self.row} of row group {self.row_group}"


def read_cell(path: str, cell: ParquetCell) -> bytes:
    """The bytes of an image, unchecked.

    Pages before its own in the row group are decompressed as well, one after the other: a table of small row groups is
    quicker.

    Raises:
        ParquetError: The file can't be read, or has no such row; or pyarrow isn't installed.
        OSError: There is no such file.
    """
    with open_parquet(path) as (_, file):
        batches = file.iter_batches(batch_size=1, row_groups=[cell.row_group], columns=[cell.column])
        batch = next(itertools.islice(batches, cell.row, None), None)
        if batch is None:
            raise ParquetError(f"{path}: no row {cell.row} in row group {cell.row_group}; build the index again")
        return batch.column(0)[0].as_py()


@contextmanager
def open_parquet(path: str) -> Iterator[tuple[Any, Any]]:
    """Opens a file for reading.

    Args:
        path: A local path, or a URL that fsspec understands.

    Yields:
        A file object of its bytes, and the `pyarrow.parquet.ParquetFile`.

    Raises:
        ParquetError: It can't be read, here or inside the block; or pyarrow isn't installed.
        FileNotFoundError: There is no such file.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ParquetError(f'{path}: Parquet files need pyarrow: pip install "pyarrow<25" ({error})') from error
    try:
        with _open_bytes(path, pyarrow) as source, pyarrow.parquet.ParquetFile(source) as file:
            yield source, file
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: there is no such file") from error
    except (pyarrow.ArrowException, OSError, IndexError) as error:
        # pyarrow says what is wrong, but not with which file.
        what = " ".join(str(error).split())
        raise ParquetError(f"{path}: not a readable Parquet file ({what}); download it again") from error


def _open_bytes(path: str, pyarrow: Any) -> Any:
    if "://" in path:
        files, name = fsspec.core.url_to_fs(path)
        return files.open(name)
    return pyarrow.memory_map(path)
