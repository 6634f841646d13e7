from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from bev.datasets.atomic import atomic_path, atomic_write


def _disk_full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_writes_bytes_and_text_and_makes_folders(tmp_path: Path):
    with atomic_write(tmp_path / "a" / "b.bin") as file:
        file.write(b"new")
    with atomic_write(tmp_path / "c.txt", "w") as file:
        file.write("Köln")
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"new"
    assert (tmp_path / "c.txt").read_text(encoding="utf-8") == "Köln"


def test_others_may_read_what_the_umask_allows(tmp_path: Path):
    with atomic_write(tmp_path / "file") as file:
        file.write(b"new")
    (tmp_path / "plain").touch()
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_an_error_in_the_block_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "index.pkl"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="stop"), atomic_write(path) as file:
        file.write(b"half")
        raise RuntimeError("stop")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "index.pkl"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", _disk_full)
    with pytest.raises(OSError, match=r"index\.pkl: No space left on device.*free space") as caught, atomic_write(path):
        pass
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot write"), atomic_write(tmp_path / "file" / "index.pkl"):
        pass


def test_what_writes_by_name_is_whole_too(tmp_path: Path):
    path = tmp_path / "new" / "picture.png"
    with atomic_path(path, ".png") as temporary:
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"new")
    with pytest.raises(RuntimeError, match="stop"), atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError("stop")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]
