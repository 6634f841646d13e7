from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from bev.datasets.shards import ShardFolder
from bev.errors import InputError


def test_parts_come_back_and_go(tmp_path: Path) -> None:
    shards = ShardFolder.of(tmp_path, "index", "a1")
    assert not shards.has("part")
    shards.write("part", [{"token": "x"}])
    assert ShardFolder.of(tmp_path, "index", "a1").has("part")
    assert shards.read("part") == [{"token": "x"}]
    shards.remove()
    assert not list(tmp_path.iterdir())


def test_parts_of_another_state_are_thrown_away(tmp_path: Path) -> None:
    ShardFolder.of(tmp_path, "index", "a1").write("part", [])
    other = ShardFolder.of(tmp_path, "other", "a1")
    other.write("part", [])
    assert not ShardFolder.of(tmp_path, "index", "b2").has("part")
    assert list(tmp_path.iterdir()) == [other.path]


@pytest.mark.parametrize("name", [".index-backup", ".index-0123456789ab", ".index-more-0123456789ab"])
def test_folders_of_others_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    precious = tmp_path / name / "notes.txt"
    precious.write_text("")
    ShardFolder.of(tmp_path, "index", "a1")
    assert precious.exists()


def test_parts_of_a_longer_name_stay(tmp_path: Path) -> None:
    longer = ShardFolder.of(tmp_path, "index[1]-mini", "a1")
    longer.write("part", [])
    ShardFolder.of(tmp_path, "index[1]", "a1")
    assert longer.has("part")


def test_filling_makes_what_is_missing(tmp_path: Path) -> None:
    shards = ShardFolder.of(tmp_path, "index", "a1")
    shards.write("b", [{"token": "old"}])
    totals = []

    def progress(items: Iterable, total: int) -> Iterable:
        totals.append(total)
        return items

    for workers in (1, 2):
        shards.fill({"a": 1, "b": 2, "c": 3}, lambda job: [{"token": job}], workers, progress)
    assert [shards.read(name) for name in "abc"] == [[{"token": 1}], [{"token": "old"}], [{"token": 3}]]
    assert totals == [2, 0]


def test_a_damaged_part_is_made_again(tmp_path: Path) -> None:
    shards = ShardFolder.of(tmp_path, "index", "a1")
    shards.write("part", [{"token": "x"}])
    (path,) = shards.path.iterdir()
    path.write_bytes(path.read_bytes()[:10])
    assert not shards.has("part")


def test_a_part_lies_in_its_folder(tmp_path: Path) -> None:
    shards = ShardFolder.of(tmp_path / "out", "index", "a1")
    with pytest.raises(InputError, match="can't be part of a file's name"):
        shards.write("../../escaped", [])
    assert not list(tmp_path.iterdir())
