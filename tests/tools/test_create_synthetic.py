from __future__ import annotations

from pathlib import Path

import pytest
from tool_runs import finish_tool
from tool_world import DAMAGES, clone, files_below, spoil

NUSCENES = "create_synthetic nuscenes --root syn --scenes 1 --val-scenes 0 --frames 2 --seed 5 --workers 1 --size 64x36"
WAYMO = "create_synthetic waymo --root OUT --scenes 1 --val-scenes 0 --frames 1 --workers 1 --width 64"
SCENE = "syn/v1.0-trainval/scenes/synthetic-train-0001.json"


@pytest.fixture
def place(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = clone(world, tmp_path / "place")
    monkeypatch.chdir(folder)
    return folder


def test_finished_scenes_are_kept(place: Path) -> None:
    before = (place / SCENE).stat().st_mtime_ns
    finished = finish_tool(*NUSCENES.split())
    assert finished.status == 0
    assert "1/1" in finished.err
    assert (place / SCENE).stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_scene_is_made_again(place: Path, damage: str) -> None:
    expected = (place / SCENE).read_bytes()
    spoil(place / SCENE, damage)
    assert finish_tool(*NUSCENES.split()).status == 0
    assert (place / SCENE).read_bytes() == expected


def test_a_segment_whose_recipe_is_damaged_is_made_again(place: Path) -> None:
    words = WAYMO.replace("OUT", "made").split()
    assert finish_tool(*words).status == 0
    (recipe,) = place.glob("made/recipes/*.json")
    expected = recipe.read_bytes()
    spoil(recipe, "half")
    assert finish_tool(*words).status == 0
    assert recipe.read_bytes() == expected


def test_what_cannot_be_made_is_one_line(place: Path) -> None:
    before = files_below(place)
    for words, message in (
        (NUSCENES.replace("--frames 2", "--frames 0"), "frames and workers must be at least 1, got 0 and 1"),
        (NUSCENES.replace("--root syn", "--root file/syn"), "cannot write file/syn/"),
        (
            NUSCENES.replace("--root syn", "--root nus --version v1.0-mini"),
            "nus/v1.0-mini holds a data set that",
        ),
        (WAYMO.replace("OUT", "file/made"), "cannot write file/made/"),
    ):
        finished = finish_tool(*words.split())
        assert finished.status == 1
        assert message in finished.error
        assert "Traceback" not in finished.err
    assert files_below(place) == before
