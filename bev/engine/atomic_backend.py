"""A file backend that never leaves half a checkpoint behind."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from bev.datasets.atomic import atomic_write


@register_backend("atomic", force=True)
class AtomicLocalBackend(LocalBackend):
    """Local files, each written under a temporary name, flushed to disk and then renamed.

    A run that is killed, or a disk that fills up, while a checkpoint is written leaves the previous one as it was.
    Chosen with `backend_args=dict(backend='atomic')`, for instance of mmengine's `CheckpointHook`.
    """

    def put(self, obj: bytes | memoryview, filepath: str | Path) -> None:
        """Write bytes to `filepath`; raises OSError, with the target named, when the disk cannot take them."""
        with atomic_write(filepath) as file:
            file.write(obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = "utf-8") -> None:
        """Write text to `filepath` in the same way."""
        self.put(obj.encode(encoding), filepath)
