"""Columns with what real files have: missing values, lists, several encodings; and where images lie."""

from __future__ import annotations

from pathlib import Path

import google_crc32c
import numpy as np
import pytest

from bev.datasets.parquet_files import ParquetError
from bev.datasets.waymo.parquet_columns import place_images, read_columns
from bev.datasets.waymo.segment_assembly import IMAGE_COLUMN

pyarrow = pytest.importorskip("pyarrow", reason="the Parquet layout needs pyarrow")
parquet = pytest.importorskip("pyarrow.parquet", reason="the Parquet layout needs pyarrow")

# The second begins as the first does, the fourth is the first again, and the fifth is missing.
SAME = b"\xff\xd8" + bytes(500)
IMAGES = [SAME, SAME[:-1] + b"\x01", b"\xff\xd8\xff\xd9", SAME, None]


def write(path: Path, columns: dict, **options) -> str:
    segment = {"key.segment_context_name": ["a"] * len(next(iter(columns.values())))}
    parquet.write_table(pyarrow.table({**segment, **columns}), path, **options)
    return str(path)


def test_missing_values_are_what_messages_have(tmp_path: Path) -> None:
    columns = {
        "key.camera_name": pyarrow.array([1, 2], pyarrow.int8()),
        "[C].level": pyarrow.array([None, 2], pyarrow.int8()),
        "[C].speed.x": pyarrow.array([0.5, None]),
        "[C].weather": pyarrow.array([None, "sunny"]),
        "[C].pose.transform": pyarrow.array([[1.0, 2.0], [3.0, 4.0]], pyarrow.list_(pyarrow.float64(), 2)),
    }
    path = write(tmp_path / "a.parquet", columns)
    names = ["key.camera_name", "level", "speed.x", "weather", "pose.transform"]
    read = read_columns(path, "C", names)
    assert read["key.segment_context_name"].tolist() == ["a", "a"]
    assert [read[name].tolist() for name in names] == [[1, 2], [0, 2], [0.5, 0], ["", "sunny"], [[1, 2], [3, 4]]]
    assert read["level"].dtype == np.int8


def test_a_column_that_is_not_there_or_ragged(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"[C].pose": pyarrow.array([[1.0, 2.0], [3.0]])})
    with pytest.raises(ParquetError, match=rf"{path}: no column \[C\]\.other; it is not C of the Waymo Open Dataset"):
        read_columns(path, "C", ["pose", "other"])
    with pytest.raises(ParquetError, match=rf"{path}, column \[C\]\.pose: lists of different lengths"):
        read_columns(path, "C", ["pose"])


@pytest.mark.parametrize(
    ("options", "packed"),
    [
        ({"compression": "none", "use_dictionary": False}, False),
        ({"compression": "none", "use_dictionary": False, "data_page_version": "2.0"}, False),
        ({"compression": "none", "use_dictionary": True}, False),
        ({"compression": "zstd"}, True),
    ],
)
def test_images_are_found_where_they_are(tmp_path: Path, options: dict, packed: bool) -> None:
    path = write(tmp_path / "a.parquet", {IMAGE_COLUMN: pyarrow.array(IMAGES)}, row_group_size=2, **options)
    data = Path(path).read_bytes()
    images = list(place_images(path))
    assert [image.row for image in images] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    for image, content in zip(images[:4], IMAGES, strict=False):
        assert (image.length, image.crc) == (len(content), google_crc32c.value(content))
        found = data[image.offset : image.offset + image.length]
        assert image.offset == -1 if packed else found == content
    assert images[4].length == 0


def test_an_encoding_that_splits_values(tmp_path: Path) -> None:
    """Only pyarrow puts these together again."""
    options = {"compression": "none", "use_dictionary": False, "column_encoding": {IMAGE_COLUMN: "DELTA_BYTE_ARRAY"}}
    path = write(tmp_path / "a.parquet", {IMAGE_COLUMN: pyarrow.array(IMAGES[:4])}, **options)
    assert [image.offset for image in place_images(path)] == [-1] * 4
