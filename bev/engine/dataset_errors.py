"""Annotation files that other packages read: which one is damaged, in one line, whatever their reader says of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from torch.utils.data import DataLoader

from bev.errors import InputError

READER = "load_data_list"
"""What every data set of mmengine calls its function that reads annotations."""


class AnnotationFileError(InputError):
    """An annotation file of a data set can't be read; the message names it, or those that it may be."""


@contextmanager
def reading_annotations(dataloader: DataLoader | dict) -> Iterator[None]:
    """While a loader is built from a config.

    Raises:
        AnnotationFileError: If a data set of another package fails while it reads its annotations.
        OSError: If a file isn't there.
    """
    try:
        yield
    except (InputError, OSError, MemoryError):
        raise
    except Exception as error:
        if not _while_reading(error.__traceback__) or isinstance(dataloader, DataLoader):
            raise
        files = ", ".join(sorted(set(_annotation_files(dataloader)))) or "its annotations"
        raise AnnotationFileError(
            f"{files}: not annotations as {_kind(dataloader)} reads them ({type(error).__name__}: {error}); "
            "replace the file, or see with BEV_TRACEBACK=1 where the reader stopped"
        ) from error


def _while_reading(traceback: TracebackType | None) -> bool:
    """Whether a reader of annotations was at work, of another package: ours say themselves what is wrong."""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_name == READER and not traceback.tb_frame.f_globals["__name__"].startswith("bev."):
            return True
        traceback = traceback.tb_next
    return False


def _annotation_files(node: Any, root: str = "") -> Iterator[str]:
    """Files named below a config's node, with the data root that stands beside them."""
    if isinstance(node, Mapping):
        root = node.get("data_root") or root
        if node.get("ann_file"):
            yield os.fspath(Path(root) / node["ann_file"])
        for value in node.values():
            yield from _annotation_files(value, root)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for value in node:
            yield from _annotation_files(value, root)


def _kind(dataloader: Mapping[str, Any]) -> str:
    kind = dataloader["dataset"]["type"]
    return kind if isinstance(kind, str) else kind.__name__
