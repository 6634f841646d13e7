"""Makes the occupancy labels of a data set, scene by scene: in several processes, on several machines, resumable."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bev.datasets.nuscenes.index_tables import open_tables, sound_row
from bev.datasets.occ3d.aggregation import aggregate
from bev.datasets.occ3d.labels import OccupancyLabelError, label_path, write_labels
from bev.datasets.occ3d.recording import Recording
from bev.datasets.occ3d.voxelisation import label_key_frame
from bev.datasets.parallel import run_forked


@dataclass(frozen=True)
class Shard:
    """One of several equal parts of the scenes.

    Attributes:
        number: From 0 to count - 1.
        count: Parts.
    """

    number: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        """Check.

        Raises:
            OccupancyLabelError: There is no such part.
        """
        if not 0 <= self.number < self.count:
            raise OccupancyLabelError(f"shard {self.number}/{self.count}: the first number is 0 to {self.count - 1}")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Reads "i/n".

        Raises:
            OccupancyLabelError: It is no such text.
        """
        number, slash, count = text.partition("/")
        if not (slash and number.isdigit() and count.isdigit()):
            raise OccupancyLabelError(f"a shard is written i/n, such as 0/4, not {text!r}")
        return cls(int(number), int(count))

    @classmethod
    def of_environment(cls) -> Shard:
        """This process's part under torchrun (RANK and WORLD_SIZE), everything without it.

        Raises:
            OccupancyLabelError: They are no numbers.
        """
        return cls.parse(f"{os.environ.get('RANK', 0)}/{os.environ.get('WORLD_SIZE', 1)}")


def generate_labels(
    root: str | os.PathLike,
    version: str,
    out: str | os.PathLike | None = None,
    shard: Shard | None = None,
    workers: int = 1,
    sweep_stride: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda items, total: items,
) -> tuple[int, int]:
    """Writes `gts/SCENE/TOKEN/labels.npz` for the samples of all annotated scenes.

    Scenes are spread over shards; each needs nothing of the others. Files that exist are kept, so that a run that was
    stopped goes on.

    Args:
        root: data root with tables, LiDAR files, and `lidarseg` where there is one.
        version: folder of the tables, such as v1.0-trainval.
        out: folder that gets the folder `gts`; the data root by default.
        shard: the part of the scenes to do; all of them by default.
        workers: processes; each holds one scene, about a gigabyte with all sweeps of nuScenes.
        sweep_stride: see `aggregate`.
        progress: wraps the iterator over finished scenes, given their total number; a place for a progress bar.

    Returns:
        Samples of these scenes that have labels now, and how many of them were written by this run.

    Raises:
        TablesError: tables are missing or broken.
        CalibrationError: a calibration or pose that cannot be right.
        OSError: a LiDAR file is missing, or labels could not be written.
        OccupancyLabelError: a LiDAR or lidarseg file is damaged.
    """
    shard = shard or Shard()
    nusc = open_tables(root, version)
    scenes = sorted(nusc.scene, key=lambda scene: scene["name"])[shard.number :: shard.count]
    folder = Path(root if out is None else out)

    def run(scene: dict) -> tuple[int, int]:
        with sound_row("scene", scene):
            recording = Recording(nusc, scene)
        return _label_scene(recording, folder, sweep_stride)

    done = list(progress(run_forked(run, scenes, workers), len(scenes)))
    return sum(samples for samples, _ in done), sum(written for _, written in done)


def _label_scene(recording: Recording, folder: Path, sweep_stride: int) -> tuple[int, int]:
    paths = {frame.token: label_path(folder, recording.name, frame.token) for frame in recording.key_frames}
    missing = [frame for frame in recording.key_frames if not paths[frame.token].exists()]
    if missing:
        cloud = aggregate(recording, sweep_stride)
        for frame in missing:
            write_labels(paths[frame.token], label_key_frame(cloud, frame, recording.tracks))
    return len(paths), len(missing)


