"""Files that would forge Python objects through NumPy's own pickles."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from bev.datasets.index_io import IndexFormatError, read_plain_pickle
from bev.engine.checkpoint import CheckpointError, safe_load

POINTER = b"AAAAAAAA"


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


NDARRAY = named("numpy", "ndarray")
EMPTY_ARRAY = named("numpy.core.multiarray", "_reconstruct") + b"(" + NDARRAY + b"K\x00\x85c_codecs\nencode\n"
EMPTY_ARRAY += b"(X\x01\x00\x00\x00bX\x06\x00\x00\x00latin1tRtR"
ENCODED_POINTER = b"c_codecs\nencode\n(X\x08\x00\x00\x00" + POINTER + b"X\x06\x00\x00\x00latin1tR"


def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def dtype(code: str, state: bytes = b"K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00") -> bytes:
    """A pickled `numpy.dtype`, and what it says of itself."""
    return named("numpy", "dtype") + b"(" + text(code) + b"\x89\x88tR(" + state + b"tb"


def filled(kind: bytes) -> bytes:
    """An array of one element whose bytes are a pointer."""
    return EMPTY_ARRAY + b"(K\x01K\x01\x85" + kind + b"\x89" + ENCODED_POINTER + b"tb"


HONEST = b"K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00"
PART = b"(" + dtype("f8", HONEST) + b"K\x08\x85t"
FORGED = {
    "an object type that hides it": filled(dtype("O")),
    "an object scalar": named("numpy.core.multiarray", "scalar") + b"(" + dtype("O") + ENCODED_POINTER + b"tR",
    "a call of ndarray": NDARRAY + b"(K\x01\x85" + text("O") + ENCODED_POINTER + b"tR",
    "an object field": filled(dtype("O,O")),
    "numbers that hide an array": filled(dtype("f8", HONEST.replace(b"<NNN", b"<" + PART + b"NN", 1))),
}


@pytest.mark.parametrize("content", FORGED.values(), ids=FORGED)
def test_forged_arrays_in_an_index(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index.pkl").write_bytes(b"\x80\x03" + content + b".")
    with pytest.raises(IndexFormatError, match=r"index\.pkl: not a readable index"):
        read_plain_pickle(tmp_path / "index.pkl")


@pytest.mark.parametrize("content", FORGED.values(), ids=FORGED)
def test_forged_arrays_in_a_checkpoint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pth"
    torch.save({"weight": torch.zeros(1)}, path)
    packed = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"\x80\x02" + content + b"." if name.endswith("data.pkl") else old.read(name))
    path.write_bytes(packed.getvalue())
    with pytest.raises(CheckpointError, match=r"model\.pth"):
        safe_load(path)


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("code", ["f8", ">f4", "i2", "?", "c8", "U3", "S4"])
def test_plain_arrays_and_scalars_come_back(tmp_path: Path, protocol: int, code: str) -> None:
    array = np.array([[1, 0], [0, 1]]).astype(code)
    content = [array, array.T, array[0, 0], array[:0]]
    (tmp_path / "index.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    for expected, found in zip(content, read_plain_pickle(tmp_path / "index.pkl"), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
        assert type(found) is type(expected)
