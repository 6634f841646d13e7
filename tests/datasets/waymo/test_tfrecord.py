"""Records: found, checked, and what happens to damaged ones."""

from __future__ import annotations

import pickle
from pathlib import Path

import fsspec
import numpy as np
import pytest

from bev.datasets.waymo.messages import parse
from bev.datasets.waymo.tfrecord import RecordError, RecordFile, frame_record, masked_crc, write_records

RECORDS = [b"first", b"", b"x" * 1000, b"last"]
SECOND = len(frame_record(RECORDS[0]))
THIRD = SECOND + len(frame_record(RECORDS[1]))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_records(tmp_path / "a.tfrecord", RECORDS)
    return tmp_path / "a.tfrecord"


def damage(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_masked_checksum() -> None:
    """CRC-32C of the digits 1 to 9 is 0xE3069283."""
    assert masked_crc(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) % 2**32


def test_records_in_any_order(path: Path) -> None:
    records = RecordFile(path)
    assert len(records) == 4
    assert list(records) == RECORDS
    assert [records.read(k) for k in (2, 0)] == [RECORDS[2], RECORDS[0]]
    with pytest.raises(IndexError, match="4 records"):
        records.read(4)


def test_the_index_is_kept_and_made_anew_when_the_file_changes(path: Path, tmp_path: Path) -> None:
    RecordFile(path)
    kept = Path(f"{path}.index.npz")
    first = kept.read_bytes()
    with np.load(kept) as arrays:
        np.testing.assert_array_equal(arrays["offsets"][:3], [0, SECOND, THIRD])
    write_records(path, [*RECORDS, b"one more"])
    assert len(RecordFile(path)) == 5
    assert kept.read_bytes() != first
    for broken in (b"broken", kept.read_bytes()[:-30]):
        kept.write_bytes(broken)
        assert len(RecordFile(path)) == 5


def test_an_index_in_a_folder_of_its_own(path: Path, tmp_path: Path) -> None:
    assert len(RecordFile(path, cache_dir=tmp_path / "cache")) == 4
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert not Path(f"{path}.index.npz").exists()
    assert list(RecordFile(path, cache_dir=tmp_path / "cache")) == RECORDS


def test_a_folder_that_cannot_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bev.datasets.waymo.tfrecord.os.access", lambda *_: False)
    assert list(RecordFile(path)) == RECORDS
    assert not Path(f"{path}.index.npz").exists()


def test_damaged_data_is_told_or_skipped(path: Path) -> None:
    damage(path, THIRD + 12 + 500)
    records = RecordFile(path)
    with pytest.raises(RecordError, match=rf"a.tfrecord, record at byte {THIRD}: its 1000 bytes"):
        list(records)
    assert records.read(3) == b"last"
    with pytest.warns(UserWarning, match=f"record at byte {THIRD}"):
        left = dict(RecordFile(path, skip_damaged=True).items())
    assert left == {0: b"first", 1: b"", 3: b"last"}


def test_a_damaged_length_ends_the_file(path: Path) -> None:
    damage(path, SECOND)
    with pytest.raises(RecordError, match=rf"record at byte {SECOND}: its length .* 1 records before it are whole"):
        RecordFile(path)
    with pytest.warns(UserWarning, match=f"record at byte {SECOND}"):
        assert list(RecordFile(path, skip_damaged=True)) == RECORDS[:1]


@pytest.mark.parametrize(("cut", "reason"), [(THIRD + 200, "the file ends at byte"), (THIRD + 5, "within its length")])
def test_a_truncated_file(path: Path, cut: int, reason: str) -> None:
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(RecordError, match=f"record at byte {THIRD}: .*{reason}"):
        RecordFile(path)
    with pytest.warns(UserWarning, match=reason):
        assert list(RecordFile(path, skip_damaged=True)) == RECORDS[:2]
    assert not Path(f"{path}.index.npz").exists()


def test_an_empty_file_and_none(tmp_path: Path) -> None:
    write_records(tmp_path / "empty.tfrecord", [])
    assert list(RecordFile(tmp_path / "empty.tfrecord")) == []
    with pytest.raises(FileNotFoundError):
        RecordFile(tmp_path / "absent.tfrecord")


def test_object_storage(path: Path, tmp_path: Path) -> None:
    with fsspec.open("memory://bucket/a.tfrecord", "wb") as file:
        file.write(path.read_bytes())
    records = RecordFile("memory://bucket/a.tfrecord", cache_dir=tmp_path / "cache")
    assert list(records) == RECORDS
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_workers_get_the_file_by_its_name(path: Path) -> None:
    records = RecordFile(path)
    records.read(0)
    assert list(pickle.loads(pickle.dumps(records))) == RECORDS


def test_the_real_frame(shared_data: Path, tmp_path: Path) -> None:
    records = RecordFile(shared_data / "waymo" / "one_frame.tfrecord", cache_dir=tmp_path)
    frame = parse("Frame", records.read(0))
    assert len(records) == 1
    assert sorted(image.name for image in frame.images) == [1, 2, 3, 4, 5]
    assert all(image.image.startswith(b"\xff\xd8") for image in frame.images)
    assert len(frame.context.camera_calibrations) == 5
