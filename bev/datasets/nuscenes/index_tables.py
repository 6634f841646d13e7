"""Opening nuScenes tables, and which samples a split consists of.

Splits come from three places: the official ones, `splits.json` in the folder of the tables (as nuscenes-devkit 1.2 has
it), or any file of the same form, `{"split name": ["scene-0001", ...]}`, which then takes the place of both.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bev.datasets.index_io import well_formed
from bev.datasets.text_files import file_part, one_line, read_json, shorten
from bev.errors import InputError

if TYPE_CHECKING:
    from nuscenes import NuScenes

ADVICE = "unpack the metadata again"

TABLES = (
    "attribute",
    "calibrated_sensor",
    "category",
    "ego_pose",
    "instance",
    "log",
    "map",
    "sample",
    "sample_annotation",
    "sample_data",
    "scene",
    "sensor",
    "visibility",
)

_LATEST = 2**63  # microseconds

# Which official splits a release can hold, by the end of its version's name.
_OFFICIAL_SPLITS = {"trainval": ("train", "val"), "test": ("test",), "mini": ("mini_train", "mini_val")}
# Splits that are subsets of others: known by name, but built only when asked for.
_OFFICIAL_SUBSETS = {"trainval": ("train_detect", "train_track")}


class TablesError(InputError):
    """Tables that are missing or broken, or a split that they do not hold."""


def open_tables(root: str | os.PathLike, version: str) -> NuScenes:
    """Opens a release with nuscenes-devkit, quietly.

    Args:
        root: folder that holds `samples`, `maps` and the folder `version` with the tables.
        version: v1.0-trainval, v1.0-test, v1.0-mini, or another folder of tables.

    Raises:
        TablesError: the folder, a table or a map picture is missing, or a table is not valid JSON.
    """
    folder = tables_folder(root, version)
    missing = [name for name in TABLES if not (folder / f"{name}.json").is_file()]
    if missing:
        raise TablesError(
            f"{folder}: tables missing: {', '.join(missing)}; unpack the metadata archive of {version} again"
        )
    for record in load_table(folder, "map", "token", "filename"):
        if not (Path(root) / record["filename"]).is_file():
            raise TablesError(
                f"{Path(root) / record['filename']}: map picture missing (map.json, token {record['token']}); "
                f"unpack the folder 'maps' of the metadata archive into {root}"
            )
    from nuscenes import NuScenes  # Takes seconds to import, and only tools that read tables need it.

    try:
        return NuScenes(version=version, dataroot=str(root), verbose=False)
    except (AssertionError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        for path in sorted(folder.glob("*.json")):  # the devkit doesn't say which one it is
            if path.stem != "splits":
                load_table(folder, path.stem, "token")
        raise TablesError(
            f"{folder}: broken tables ({type(error).__name__}: {one_line(error)}); unpack the metadata again"
        ) from error


def sound_row(table: str, record: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Inside this block, values of other types and shapes than a row should have are told as a `TablesError` of it."""
    return well_formed(f"{table}.json, token {record['token']}", TablesError, ADVICE)


def chain(nusc: NuScenes, table: str, token: str) -> Iterator[dict]:
    """The row with a token, and those that each names as its `next`.

    Raises:
        TablesError: one was come to before, so that there would be no end.
    """
    seen: set[str] = set()
    while token:
        if token in seen:
            raise TablesError(f"{table}.json, token {token}: its successors lead back to it; {ADVICE}")
        seen.add(token)
        row = nusc.get(table, token)
        yield row
        token = row["next"]


def microseconds(table: str, record: Mapping[str, Any]) -> float:
    """The time of a row.

    Raises:
        TablesError: it is no time.
    """
    time = record["timestamp"]
    if not isinstance(time, (int, float)) or not 0 <= time < _LATEST:
        raise TablesError(f"{table}.json, token {record['token']}: timestamp {shorten(time)} is no time; {ADVICE}")
    return time


def tables_folder(root: str | os.PathLike, version: str) -> Path:
    """Folder of the tables of a release.

    Raises:
        TablesError: it does not exist; the message lists the releases found under `root`.
    """
    folder = Path(root) / version
    if folder.is_dir():
        return folder
    if not Path(root).is_dir():
        raise TablesError(f"data root {root} does not exist")
    found = sorted(path.parent.name for path in Path(root).glob("*/sample.json"))
    raise TablesError(
        f"data root {root} has no tables of {version} (expected {folder}/sample.json); "
        f"releases found there: {', '.join(found) or 'none'}"
    )


def load_table(folder: Path, name: str, *fields: str) -> list[dict]:
    """The records of one JSON file of a folder of tables.

    Args:
        folder: of the tables.
        name: of the table.
        fields: the texts that each record must have.

    Raises:
        TablesError: it is missing, not valid JSON, or not a list of such records.
    """
    path = folder / f"{name}.json"
    try:
        records = read_json(path, list, ADVICE, TablesError)
    except FileNotFoundError:
        raise TablesError(f"{path}: table missing; unpack the metadata archive of {folder.name} again") from None
    for position, record in enumerate(records):
        if not isinstance(record, dict) or not all(isinstance(record.get(field), str) for field in fields):
            raise TablesError(
                f"{path}, record {position}: expected an object with {', '.join(fields)}, found {shorten(record)}; "
                f"{ADVICE}"
            )
    return records


def available_splits(
    root: str | os.PathLike, version: str, splits_file: str | os.PathLike | None = None, subsets: bool = False
) -> dict[str, list[str]]:
    """Splits of a release with the scenes that the tables hold, in the order of the scene table.

    Args:
        root: data root.
        version: folder of the tables.
        splits_file: custom splits instead of the official ones and of `splits.json`.
        subsets: also the official subsets of splits (train_detect, train_track).

    Returns:
        {split: scene names}, splits without a scene in these tables left out.

    Raises:
        TablesError: the tables or the splits file are missing or broken, or the file names a scene that is not there.
    """
    folder = tables_folder(root, version)
    present = [scene["name"] for scene in load_table(folder, "scene", "name")]
    twice = [name for name, number in Counter(present).items() if number > 1]
    if twice:
        raise TablesError(f"{folder / 'scene.json'}: several scenes are named {twice[0]}; {ADVICE}")
    if splits_file is not None:
        wanted = read_splits(Path(splits_file))
        _check_scenes_exist(Path(splits_file), wanted, present)
    else:
        wanted = _official_splits(version, subsets)
        if (folder / "splits.json").is_file():
            wanted |= read_splits(folder / "splits.json")
    selected = {split: [name for name in present if name in set(scenes)] for split, scenes in wanted.items()}
    return {split: scenes for split, scenes in selected.items() if scenes}


def sample_tokens(
    root: str | os.PathLike, version: str, split: str, splits_file: str | os.PathLike | None = None
) -> list[str]:
    """Tokens of a split's samples, in the order of the sample table. Reads two small tables, so it is fast.

    Raises:
        TablesError: no such split, or tables missing or broken.
    """
    scenes = split_scenes(root, version, split, splits_file)
    folder = tables_folder(root, version)
    scene_tokens = {scene["token"] for scene in load_table(folder, "scene", "token", "name") if scene["name"] in scenes}
    samples = load_table(folder, "sample", "token", "scene_token")
    return [sample["token"] for sample in samples if sample["scene_token"] in scene_tokens]


def split_scenes(
    root: str | os.PathLike, version: str, split: str, splits_file: str | os.PathLike | None = None
) -> Collection[str]:
    """Scene names of one split.

    Raises:
        TablesError: no such split in these tables.
    """
    splits = available_splits(root, version, splits_file, subsets=True)
    if split not in splits:
        raise TablesError(
            f"{Path(root) / version}: no scene of split {split!r}; splits found: {', '.join(splits) or 'none'}. "
            "Custom splits come from --splits FILE or splits.json beside the tables"
        )
    return frozenset(splits[split])


def _official_splits(version: str, subsets: bool) -> dict[str, list[str]]:
    release = version.rsplit("-", 1)[-1]
    names = _OFFICIAL_SPLITS.get(release, ()) + (_OFFICIAL_SUBSETS.get(release, ()) if subsets else ())
    if not names:
        return {}
    from nuscenes.utils.splits import create_splits_scenes

    scenes = create_splits_scenes()
    return {name: scenes[name] for name in names}


def read_splits(path: Path) -> dict[str, list[str]]:
    """Names of the scenes of each split in a file `{"split name": ["scene-0001", ...]}`.

    Raises:
        TablesError: it is missing, or something else.
        InputError: a split has a name that no index file can have.
    """
    if not path.is_file():
        raise TablesError(f"splits file {path} does not exist")
    splits = read_json(path, advice="correct it", refused=TablesError)
    lists = isinstance(splits, dict) and all(isinstance(scenes, list) for scenes in splits.values())
    if not lists or not all(isinstance(name, str) for scenes in splits.values() for name in scenes):
        raise TablesError(f'{path}: expected {{"split name": ["scene-0001", ...], ...}}')
    for name in splits:
        file_part(name, f"{path}: split")
    return splits


def _check_scenes_exist(path: Path, splits: dict[str, list[str]], present: Collection[str]) -> None:
    unknown = sorted({name for scenes in splits.values() for name in scenes} - set(present))
    if unknown:
        raise TablesError(
            f"{path}: scenes not in the tables: {', '.join(unknown[:5])}{' ...' if len(unknown) > 5 else ''}"
        )
