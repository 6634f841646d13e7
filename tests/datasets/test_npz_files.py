from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bev.datasets.npz_files import ArrayFileError, read_arrays, write_arrays

RAN: list[str] = []


class _Exploit:
    def __reduce__(self) -> tuple:
        return (RAN.append, ("ran",))


def test_arrays_come_back(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6).reshape(2, 3), "b": np.array("text")}
    for compressed in (True, False):
        write_arrays(tmp_path / "deep" / "a.npz", arrays, compressed)
        found = read_arrays(tmp_path / "deep" / "a.npz")
        assert {name: value.tolist() for name, value in found.items()} == {"a": [[0, 1, 2], [3, 4, 5]], "b": "text"}
    assert list(read_arrays(tmp_path / "deep" / "a.npz", ["b"])) == ["b"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.npz"]


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    np.save(tmp_path / "single.npy", np.zeros(3))
    np.savez(tmp_path / "objects.npz", a=np.array([_Exploit()], dtype=object))
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(_Exploit()))
    with zipfile.ZipFile(tmp_path / "texts.npz", "w") as file:
        file.writestr("a", "text")
    for name, message in {
        "single.npy": "a single array",
        "objects.npz": "Object arrays cannot be loaded",
        "plain.npz": "not a readable npz file",
        "texts.npz": "something else than arrays",
    }.items():
        with pytest.raises(ArrayFileError, match=message):
            read_arrays(tmp_path / name)
    assert RAN == []
    write_arrays(tmp_path / "a.npz", {"a": np.zeros(3)})
    with pytest.raises(ArrayFileError, match="it has no b, c"):
        read_arrays(tmp_path / "a.npz", ("a", "c", "b"))
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "none.npz")


def _packed() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, a=np.arange(500) % 7)
    return file.getvalue()


PACKED = _packed()


@given(place=st.integers(0, len(PACKED) - 1), byte=st.integers(0, 255), length=st.integers(0, len(PACKED)))
def test_damaged_bytes_are_one_kind_of_error(place: int, byte: int, length: int) -> None:
    data = bytearray(PACKED)
    data[place] = byte
    for damaged in (data, data[:length]):
        try:
            read_arrays(io.BytesIO(bytes(damaged)))
        except ArrayFileError as error:
            assert "\n" not in str(error)
