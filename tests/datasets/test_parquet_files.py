"""Images in Parquet files, and one line for what can go wrong."""

from __future__ import annotations

import builtins
from pathlib import Path

import fsspec
import google_crc32c
import pytest

from bev.datasets.parquet_files import ParquetCell, ParquetError, read_cell

pyarrow = pytest.importorskip("pyarrow", reason="Parquet files need pyarrow")
parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet files need pyarrow")

IMAGES = [bytes([number]) * 1000 for number in range(7)]


def cell(group: int, row: int) -> ParquetCell:
    image = IMAGES[min(3 * group + row, 6)]
    return ParquetCell("[Component].image", group, row, len(image), google_crc32c.value(image))


@pytest.fixture(params=["none", "snappy", "zstd"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    table = pyarrow.table({"key.number": list(range(7)), "[Component].image": IMAGES})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=3, compression=request.param)
    return str(tmp_path / "a.parquet")


def test_any_row_of_any_group(path: str) -> None:
    assert [read_cell(path, cell(number // 3, number % 3)) for number in (6, 0, 4)] == [IMAGES[n] for n in (6, 0, 4)]


def test_from_an_object_store(path: str) -> None:
    with fsspec.open("memory://cells/a.parquet", "wb") as file:
        file.write(Path(path).read_bytes())
    assert read_cell("memory://cells/a.parquet", cell(1, 2)) == IMAGES[5]


def test_rows_and_files_that_are_not_there(path: str, tmp_path: Path) -> None:
    with pytest.raises(ParquetError, match=rf"{path}: no row 2 in row group 2; build the index again"):
        read_cell(path, cell(2, 2))
    with pytest.raises(ParquetError, match=rf"{path}: not a readable Parquet file"):
        read_cell(path, cell(9, 0))
    with pytest.raises(FileNotFoundError, match=r"absent\.parquet: there is no such file"):
        read_cell(str(tmp_path / "absent.parquet"), cell(0, 0))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1"])
def test_files_of_something_else(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(ParquetError, match=r"a\.parquet: not a readable Parquet file \(.*\); download it again"):
        read_cell(str(tmp_path / "a.parquet"), cell(0, 0))


def test_without_pyarrow(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = builtins.__import__

    def absent(name, *arguments, **options):
        if name.partition(".")[0] == "pyarrow":
            raise ImportError("No module named 'pyarrow'")
        return genuine(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ParquetError, match='Parquet files need pyarrow: pip install "pyarrow<25"'):
        read_cell(path, cell(0, 0))
