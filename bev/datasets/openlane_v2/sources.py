"""Where frames of OpenLane-V2 are read: a JSON file for each, or the devkit's preprocessed collections."""

from __future__ import annotations

import gc
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bev.datasets.index_io import IndexFormatError, read_plain_pickle
from bev.datasets.openlane_v2.annotations import AnnotationError, Fields
from bev.datasets.text_files import read_json


@dataclass(frozen=True)
class ListedSegment:
    """A drive without a break.

    Attributes:
        split: "train", "val" or "test".
        name_in_split: Its identifier, such as 00000.
        timestamps: Of its frames, as texts: nanoseconds in subset A do not fit a float.
    """

    split: str
    name_in_split: str
    timestamps: tuple[str, ...]

    @property
    def name(self) -> str:
        """Unique name, fit for a file."""
        return f"{self.split}-{self.name_in_split}"


def list_segments(path: str | os.PathLike) -> dict[str, list[ListedSegment]]:
    """Segments by split from the devkit's list of frames, {split: {segment: ["TIMESTAMP.json", ...]}}.

    Raises:
        AnnotationError: The file is missing or something else.
    """
    listed = Fields(_load_json(Path(path)), str(path))
    segments: dict[str, list[ListedSegment]] = {}
    for split in listed.value:
        segments[split] = []
        for name, files in listed.fields(split).value.items():
            stems = [Path(file).stem if isinstance(file, str) else "" for file in files]
            if not stems or not all(stem.isdecimal() for stem in stems):
                raise AnnotationError(f"{path}: {split}: {name}: expected a list of files TIMESTAMP.json")
            segments[split].append(ListedSegment(split, name, tuple(stems)))
    return segments


class FrameSource(ABC):
    """Reads frames."""

    @contextmanager
    def loaded(self, split: str) -> Iterator[None]:
        """Inside this block frames of a split can be read, here and in processes that are forked here.

        Raises:
            AnnotationError: What all frames of the split have in common is not readable.
        """
        yield

    @abstractmethod
    def frame(self, segment: ListedSegment, timestamp: str) -> Fields:
        """A frame's data.

        Raises:
            AnnotationError: There is none, or it is not readable.
        """

    @abstractmethod
    def files(self, segment: ListedSegment) -> list[Path]:
        """The files that a segment's frames are read from, whether they exist or not."""

    def stamp(self, segment: ListedSegment) -> str:
        """Changes when one of the segment's files does, judged by size and time."""
        states = [path.stat() for path in self.files(segment) if path.exists()]
        text = " ".join(f"{state.st_size} {state.st_mtime_ns}" for state in states)
        return hashlib.sha256(f"{segment.timestamps} {text}".encode()).hexdigest()[:12]


class FrameFiles(FrameSource):
    """The files SPLIT/SEGMENT/info/TIMESTAMP.json, or TIMESTAMP-ls.json for lane segments.

    Args:
        root: Folder of the splits.
        layout: "centerline" or "segment".
    """

    def __init__(self, root: Path, layout: str) -> None:
        self._root, self._ending = root, "-ls.json" if layout == "segment" else ".json"

    def frame(self, segment: ListedSegment, timestamp: str) -> Fields:
        """See `FrameSource`."""
        path = self._path(segment, timestamp)
        return Fields(_load_json(path), str(path))

    def files(self, segment: ListedSegment) -> list[Path]:
        """See `FrameSource`."""
        return [self._path(segment, timestamp) for timestamp in segment.timestamps]

    def _path(self, segment: ListedSegment, timestamp: str) -> Path:
        return self._root / segment.split / segment.name_in_split / "info" / f"{timestamp}{self._ending}"


class FramePickles(FrameSource):
    """The devkit's collections, `data_dict_subset_A_train.pkl` and so on, `_ls` at the end for lane segments.

    Args:
        root: Their folder.
        subset: "A" or "B".
        layout: "centerline" or "segment".
    """

    def __init__(self, root: Path, subset: str, layout: str) -> None:
        self._root, self._subset, self._ending = root, subset, "_ls" if layout == "segment" else ""
        self._frames: Any = None

    @contextmanager
    def loaded(self, split: str) -> Iterator[None]:
        """See `FrameSource`. A collection takes gigabytes: one at a time is here, and forked processes share it."""
        self._frames = self._read(self._path(split))
        gc.freeze()  # a collection of garbage in a forked process would write to, and so copy, all that it shares
        try:
            yield
        finally:
            self._frames = None
            gc.unfreeze()

    def frame(self, segment: ListedSegment, timestamp: str) -> Fields:
        """See `FrameSource`."""
        path, key = self._path(segment.split), (segment.split, segment.name_in_split, timestamp)
        if not isinstance(self._frames, dict) or key not in self._frames:
            raise AnnotationError(f"{path}: no frame {'/'.join(key)}; make the collection again")
        return Fields(self._frames[key], f"{path}: {'/'.join(key)}")

    def files(self, segment: ListedSegment) -> list[Path]:
        """See `FrameSource`."""
        return [self._path(segment.split)]

    def _path(self, split: str) -> Path:
        return self._root / f"data_dict_subset_{self._subset}_{split}{self._ending}.pkl"

    def _read(self, path: Path) -> Any:
        try:
            return read_plain_pickle(path, "collection", "the devkit's preprocess.py")
        except (FileNotFoundError, IndexFormatError) as error:
            raise AnnotationError(str(error)) from error


def _load_json(path: Path) -> Any:
    try:
        return read_json(path, advice="download it again", refused=AnnotationError)
    except FileNotFoundError:
        raise AnnotationError(f"{path}: no such file; it comes with OpenLane-V2's annotations") from None
