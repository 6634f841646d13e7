"""A file backend that never leaves half a checkpoint behind."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend


@register_backend("atomic", force=True)
class AtomicLocalBackend(LocalBackend):
    """Local files, each written under a temporary name, flushed to disk and then renamed.

    A run that is killed, or a disk that fills up, while a checkpoint is written leaves the previous one as it was.
    Chosen with `backend_args=dict(backend='atomic')`, for instance of mmengine's `CheckpointHook`.
    """

    def put(self, obj: bytes | memoryview, filepath: str | Path) -> None:
        """Write bytes to `filepath`; raises OSError, with the target named, when the disk cannot take them."""
        target = Path(filepath)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(obj)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(target)
        except OSError as error:
            raise OSError(error.errno, f"cannot write {target}: {error.strerror}") from error
        finally:
            Path(temporary).unlink(missing_ok=True)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = "utf-8") -> None:
        """Write text to `filepath` in the same way."""
        self.put(obj.encode(encoding), filepath)
