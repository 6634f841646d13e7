from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_nuscenes import write_tables

from bev.datasets.nuscenes.index_tables import TablesError, available_splits, chain, open_tables, sample_tokens


def test_a_chain_of_rows(tmp_path: Path):
    nusc = open_tables(write_tables(tmp_path), "v1.0-mini")
    tokens = [sample["token"] for sample in chain(nusc, "sample", "scene-0103-1")]
    assert tokens == ["scene-0103-1", "scene-0103-2"]
    assert list(chain(nusc, "sample", "")) == []


def _write_splits(path: Path, splits: object) -> Path:
    path.write_text(json.dumps(splits), encoding="utf-8")
    return path


def test_official_splits_keep_the_scenes_that_are_there(tmp_path: Path):
    root = write_tables(tmp_path, scenes=("scene-0916", "scene-0061", "scene-0103"))
    expected = {"mini_train": ["scene-0061"], "mini_val": ["scene-0916", "scene-0103"]}
    assert available_splits(root, "v1.0-mini") == expected
    assert sample_tokens(root, "v1.0-mini", "mini_train") == ["scene-0061-0", "scene-0061-1", "scene-0061-2"]


def test_splits_json_beside_the_tables_is_picked_up(tmp_path: Path):
    root = write_tables(tmp_path, version="v1.0-mine", scenes=("one", "two"))
    assert available_splits(root, "v1.0-mine") == {}
    _write_splits(root / "v1.0-mine" / "splits.json", {"train": ["one"], "val": ["two"]})
    assert available_splits(root, "v1.0-mine") == {"train": ["one"], "val": ["two"]}
    assert sample_tokens(root, "v1.0-mine", "val") == ["two-0", "two-1", "two-2"]


def test_a_splits_file_takes_the_place_of_all_others(tmp_path: Path):
    root = write_tables(tmp_path)
    path = _write_splits(tmp_path / "mine.json", {"odd": ["scene-0103"]})
    assert available_splits(root, "v1.0-mini", path) == {"odd": ["scene-0103"]}
    assert len(sample_tokens(root, "v1.0-mini", "odd", path)) == 3


def test_a_splits_file_that_names_an_unknown_scene(tmp_path: Path):
    root = write_tables(tmp_path)
    path = _write_splits(tmp_path / "mine.json", {"odd": ["scene-0103", "scene-9999"]})
    with pytest.raises(TablesError, match=r"mine\.json: scenes not in the tables: scene-9999"):
        available_splits(root, "v1.0-mini", path)


@pytest.mark.parametrize("content", [["scene-0103"], {"odd": "scene-0103"}, {"odd": [3]}])
def test_a_malformed_splits_file(tmp_path: Path, content: object):
    root = write_tables(tmp_path)
    path = _write_splits(tmp_path / "mine.json", content)
    with pytest.raises(TablesError, match=r"mine\.json: expected"):
        available_splits(root, "v1.0-mini", path)


def test_an_unknown_split_lists_the_known_ones(tmp_path: Path):
    root = write_tables(tmp_path)
    with pytest.raises(TablesError, match="no scene of split 'val'; splits found: mini_val"):
        sample_tokens(root, "v1.0-mini", "val")


def test_a_root_without_tables_lists_what_it_holds(tmp_path: Path):
    write_tables(tmp_path)
    with pytest.raises(TablesError, match=r"no tables of v1\.0-trainval .*releases found there: v1\.0-mini"):
        open_tables(tmp_path, "v1.0-trainval")
    with pytest.raises(TablesError, match="does not exist"):
        open_tables(tmp_path / "nowhere", "v1.0-mini")


def test_missing_and_broken_tables_are_named(tmp_path: Path):
    folder = write_tables(tmp_path) / "v1.0-mini"
    (folder / "ego_pose.json").write_text("[{", encoding="utf-8")
    with pytest.raises(TablesError, match=r"ego_pose\.json: not valid JSON"):
        open_tables(tmp_path, "v1.0-mini")
    (folder / "ego_pose.json").unlink()
    with pytest.raises(TablesError, match="tables missing: ego_pose"):
        open_tables(tmp_path, "v1.0-mini")


def test_a_missing_map_picture_is_named(tmp_path: Path):
    write_tables(tmp_path)
    (tmp_path / "maps" / "map.png").unlink()
    with pytest.raises(TablesError, match=r"map\.png: map picture missing"):
        open_tables(tmp_path, "v1.0-mini")


def test_open_tables_opens(tmp_path: Path):
    assert len(open_tables(write_tables(tmp_path), "v1.0-mini").sample) == 6


@pytest.mark.parametrize(("table", "field", "value"), [("map", "filename", 5), ("scene", "name", 5)])
def test_a_field_that_is_no_text_is_named(tmp_path: Path, table: str, field: str, value: object):
    root = write_tables(tmp_path, edit=lambda tables: tables[table][0].update({field: value}))
    with pytest.raises(TablesError, match=rf"{table}\.json, record 0: expected an object with"):
        open_tables(root, "v1.0-mini")
        available_splits(root, "v1.0-mini")
