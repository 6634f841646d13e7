from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from bev.datasets.shards import ShardFolder
from bev.errors import InputError


def write(folder: Path, stem: str, fingerprint: str) -> Path:
    """Leaves a part, as a run does that is stopped; returns its folder."""
    with ShardFolder.of(folder, stem, fingerprint) as shards:
        shards.write("part", [{"token": "x"}])
    return shards.path


def test_parts_come_back_and_go(tmp_path: Path) -> None:
    write(tmp_path, "index", "a1")
    with ShardFolder.of(tmp_path, "index", "a1") as shards:
        assert shards.has("part")
        assert not shards.has("other")
        assert shards.read(["part"]) == [{"token": "x"}]
        shards.remove()
    assert not list(tmp_path.iterdir())


def test_parts_of_another_state_are_thrown_away(tmp_path: Path) -> None:
    write(tmp_path, "index", "a1")
    other = write(tmp_path, "other", "a1")
    with ShardFolder.of(tmp_path, "index", "b2") as shards:
        assert not shards.has("part")
    assert list(tmp_path.iterdir()) == [other]


@pytest.mark.parametrize("name", [".index-backup", ".index-0123456789ab", ".index-more-0123456789ab"])
def test_folders_of_others_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    precious = tmp_path / name / "notes.txt"
    precious.write_text("")
    write(tmp_path, "index", "a1")
    assert precious.exists()


def test_parts_of_a_longer_name_stay(tmp_path: Path) -> None:
    longer = write(tmp_path, "index[1]-mini", "a1")
    write(tmp_path, "index[1]", "a1")
    assert longer.exists()


def test_filling_makes_what_is_missing(tmp_path: Path) -> None:
    totals = []

    def progress(items: Iterable, total: int) -> Iterable:
        totals.append(total)
        return items

    with ShardFolder.of(tmp_path, "index", "a1") as shards:
        shards.write("b", [{"token": "old"}])
        for workers in (1, 2):
            shards.fill({"a": 1, "b": 2, "c": 3}, lambda job: [{"token": job}], workers, progress)
        assert shards.read("abc") == [{"token": 1}, {"token": "old"}, {"token": 3}]
    assert totals == [2, 0]


def test_a_damaged_part_is_made_again(tmp_path: Path) -> None:
    (path,) = write(tmp_path, "index", "a1").iterdir()
    path.write_bytes(path.read_bytes()[:10])
    with ShardFolder.of(tmp_path, "index", "a1") as shards:
        assert not shards.has("part")


def test_a_part_lies_in_its_folder(tmp_path: Path) -> None:
    with (
        ShardFolder.of(tmp_path / "out", "index", "a1") as shards,
        pytest.raises(InputError, match="can't be part of a file's name"),
    ):
        shards.write("../../escaped", [])
    assert not list((tmp_path / "out").iterdir())


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    code = "import sys; from bev.datasets.shards import ShardFolder\nwith ShardFolder.of(*sys.argv[1:]): pass"
    with ShardFolder.of(tmp_path, "index", "a1") as shards, ShardFolder.of(tmp_path, "other", "a1"):
        shards.write("part", [])
        second = [sys.executable, "-c", code, str(tmp_path), "index", "b2"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        ended = subprocess.run(second, capture_output=True, text=True, check=False, env=environment)
        assert ended.stderr.strip().endswith(
            f"another run is at work in {tmp_path} (.index.lock); wait for its end, then start this again"
        )
        assert shards.has("part")


def test_what_a_killed_run_leaves_hinders_nobody(tmp_path: Path) -> None:
    (tmp_path / ".index.lock").touch()
    write(tmp_path, "index", "a1")
    assert not (tmp_path / ".index.lock").exists()
