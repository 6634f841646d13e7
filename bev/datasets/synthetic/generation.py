"""Generates whole synthetic data sets, scene by scene, in parallel and resumable."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from bev.datasets.parallel import run_forked
from bev.datasets.synthetic.export_nuscenes import Tables, write_scene
from bev.datasets.synthetic.nuscenes_tables import SCENE_TABLES, fixed_tables
from bev.datasets.synthetic.shards import SHARDS, check_counts, read_shard
from bev.datasets.synthetic.world import build_scene
from bev.datasets.text_files import TextFileError, write_json
from bev.errors import InputError

GENERATOR = "3"
"""Raise it when the same seed gives other data than before; scenes of older generators are then made again."""


@dataclass(frozen=True)
class SceneJob:
    """One scene to generate.

    Attributes:
        root: Data root.
        version: Name of the table folder.
        name: Name of the scene.
        number: Distinguishes its time of recording.
        seed: What decides its content.
        frames: Key frames.
        image_size: Width and height in pixels.
        sweeps: Turns of the LiDAR between two key frames.
    """

    root: str
    version: str
    name: str
    number: int
    seed: tuple[int, ...]
    frames: int
    image_size: tuple[int, int]
    sweeps: int = 0

    @property
    def shard(self) -> Path:
        """File of the scene's rows; it exists once all other files of the scene do."""
        return Path(self.root) / self.version / SHARDS / f"{self.name}.json"

    def recipe(self) -> dict:
        """What the scene's content depends on."""
        recipe = asdict(self)
        del recipe["root"], recipe["version"]
        return json.loads(json.dumps({"generator": GENERATOR, **recipe}))


def generate(
    root: str | Path,
    scenes: int = 32,
    val_scenes: int = 8,
    frames: int = 20,
    seed: int = 0,
    workers: int = 2,
    image_size: tuple[int, int] = (352, 198),
    version: str = "v1.0-trainval",
    progress: bool = True,
    sweeps: int = 0,
) -> Path:
    """Generates a synthetic data set in the nuScenes format.

    Training scenes are called synthetic-train-0001 and so on, held-out ones synthetic-val-0001. A scene depends on the
    seed and its own number only, so adding scenes later changes none. Finished scenes are kept; a run that was stopped
    goes on where it was. `splits.json` lists the scenes as "train" and "val", and again as "synthetic_train" and
    "synthetic_val": nuscenes-devkit takes the first two names for the splits of the real data set.

    Args:
        root: Data root; made if missing.
        scenes: Number of training scenes.
        val_scenes: Number of held-out scenes.
        frames: Key frames per scene, 2 per second.
        seed: Decides everything.
        workers: Processes.
        image_size: Width and height of the camera pictures, pixels.
        version: Name of the folder of tables.
        progress: Whether to show a progress bar.
        sweeps: Turns of the LiDAR between two key frames; there are 9 in nuScenes.

    Returns:
        The folder of tables.

    Raises:
        InputError: A number makes no sense.
        FileExistsError: The root holds a data set of this version that wasn't generated here.
        OSError: A file can't be written.
    """
    folder = Path(root) / version
    check_counts(scenes, val_scenes, frames, workers)
    _check(folder, image_size, sweeps)
    jobs = _jobs(str(root), version, {"train": scenes, "val": val_scenes}, seed, frames, image_size, sweeps)
    everything = [job for group in jobs.values() for job in group]
    _run_missing(everything, workers, progress)
    _write_tables(folder, everything)
    names = {split: [job.name for job in group] for split, group in jobs.items()}
    write_json(folder / "splits.json", {**names, **{f"synthetic_{split}": group for split, group in names.items()}})
    return folder


def _run_missing(jobs: list[SceneJob], workers: int, progress: bool) -> None:
    missing = [job for job in jobs if not _is_finished(job)]
    done, finished = run_forked(_run_job, missing, workers), len(jobs) - len(missing)
    for _ in tqdm(done, total=len(jobs), initial=finished, desc="scenes", unit="scene", disable=not progress):
        pass


def _jobs(
    root: str,
    version: str,
    counts: dict[str, int],
    seed: int,
    frames: int,
    image_size: tuple[int, int],
    sweeps: int,
) -> dict[str, list[SceneJob]]:
    """Jobs of each split."""
    width, height = image_size
    return {
        split: [
            SceneJob(
                root,
                version,
                name=f"synthetic-{split}-{i + 1:04d}",
                number=1000 * k + i,
                seed=(seed, k, i),
                frames=frames,
                image_size=(width, height),
                sweeps=sweeps,
            )
            for i in range(count)
        ]
        for k, (split, count) in enumerate(counts.items())
    }


def _check(folder: Path, image_size: tuple[int, int], sweeps: int) -> None:
    if sweeps < 0:
        raise InputError(f"sweeps must not be negative, got {sweeps}")
    if len(image_size) != 2 or not all(32 <= side <= 4096 for side in image_size):
        raise InputError(f"the image size must be two numbers (width, height) from 32 to 4096, got {image_size}")
    if (folder / "scene.json").exists() and not (folder / SHARDS).exists():
        raise FileExistsError(f"{folder} holds a data set that was not generated here; choose another root or version")


def _is_finished(job: SceneJob) -> bool:
    """Whether a scene was generated with the same recipe and all its files are still there."""
    if not job.shard.is_file():
        return False
    try:
        shard = read_shard(job.shard)
    except TextFileError:
        return False
    if shard["recipe"] != job.recipe():
        return False
    files = [row["filename"] for table in ("sample_data", "lidarseg", "map") for row in shard["tables"][table]]
    return all((Path(job.root) / name).exists() for name in files)


def _run_job(job: SceneJob) -> str:
    scene = build_scene(job.name, job.seed, job.frames, job.image_size)
    tables = write_scene(Path(job.root), scene, job.number, job.version, job.sweeps)
    write_json(job.shard, {"recipe": job.recipe(), "tables": tables})
    return job.name


def _write_tables(folder: Path, jobs: list[SceneJob]) -> None:
    """Joins the rows of all scenes, in order."""
    tables: Tables = {name: [] for name in SCENE_TABLES}
    for job in jobs:
        shard = read_shard(job.shard)
        for name in SCENE_TABLES:
            tables[name] += shard["tables"][name]
    labels = {Path(row["filename"]).name for row in tables["lidarseg"]}
    _remove_unlisted(folder.parent / "lidarseg" / folder.name, labels)
    for name, rows in {**fixed_tables(), **tables}.items():
        write_json(folder / f"{name}.json", rows)


def _remove_unlisted(folder: Path, names: set[str]) -> None:
    """Deletes labels of scenes that are no longer part of the data set: the devkit wants as many files as rows."""
    for path in folder.glob("*_lidarseg.bin"):
        if path.name not in names:
            path.unlink()
