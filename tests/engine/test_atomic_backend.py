from __future__ import annotations

import errno
import os

import pytest
from mmengine.fileio import get_file_backend

from bev.engine.atomic_backend import AtomicLocalBackend


def test_is_what_the_configs_name():
    assert isinstance(get_file_backend(backend_args={"backend": "atomic"}), AtomicLocalBackend)


def test_writes_bytes_and_text(tmp_path):
    backend = AtomicLocalBackend()
    backend.put(b"weights", tmp_path / "deep" / "model.pth")
    backend.put_text("epoch_1.pth", tmp_path / "last_checkpoint")
    assert (tmp_path / "deep" / "model.pth").read_bytes() == b"weights"
    assert (tmp_path / "last_checkpoint").read_text() == "epoch_1.pth"


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "model.pth"
    target.write_bytes(b"good")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"cannot write .*model\.pth: No space left"):
        AtomicLocalBackend().put(b"half", target)
    assert target.read_bytes() == b"good"
    assert [path.name for path in tmp_path.iterdir()] == ["model.pth"]
