"""Training and evaluation of a model with damaged configs, checkpoints, indexes, tables and pictures."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from tool_runs import Finished, finish_tool
from tool_world import DAMAGES, INDEX, MARKER, check_refusal, clone, files_below, spoil

PICTURE = "nus/samples/CAM_FRONT/*-0-*"
TRAIN = "train config.py --load-from model.pth"
RESUME = "train config.py --resume model.pth"
BACKBONE = "train config.py --cfg-options model.backbone.init_cfg.type=SafePretrained "
BACKBONE += "model.backbone.init_cfg.checkpoint=model.pth model.backbone.init_cfg.prefix=backbone."
TEST = "test config.py model.pth"
CASES = (
    *((line, "config.py", damage) for line in (TRAIN, TEST) for damage in DAMAGES),
    *((line, "model.pth", damage) for line in (TRAIN, TEST) for damage in ("missing", "half", "attack")),
    *((line, "model.pth", "attack") for line in (RESUME, BACKBONE)),
    *((TRAIN, INDEX, damage) for damage in ("half", "attack")),
    *((line, PICTURE, "half") for line in (TRAIN, TEST)),
    (TEST, "nus/v1.0-mini/sample.json", "list"),
)


def run(line: str, work_dir: str, *options: str) -> Finished:
    """A run as `line` says; mmengine tells the runs of one process apart by their names."""
    words = line.split()
    if "--cfg-options" not in words:
        words.append("--cfg-options")
    return finish_tool(*words, *options, f"experiment_name={uuid.uuid4().hex}", "--work-dir", work_dir)


@pytest.fixture
def place(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = clone(world, tmp_path / "place")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(("line", "file", "damage"), CASES)
def test_damaged_files(place: Path, line: str, file: str, damage: str) -> None:
    spoiled = min(place.glob(file))
    spoil(spoiled, damage)
    before = files_below(place)
    check_refusal(run(line, "out"), spoiled.name)
    assert not (place / MARKER).exists()
    # What a run notes when it starts, and predictions that were made before the tables turned out to be damaged.
    noted = (".log", "config.py", "results_nusc.json")
    assert not [name for name in files_below(place) - before if not name.endswith(noted)]


def test_a_damaged_picture_of_a_data_worker(place: Path) -> None:
    spoil(min(place.glob(PICTURE)), "half")
    finished = run(TRAIN, "out", "train_dataloader.num_workers=1")
    check_refusal(finished, min(place.glob(PICTURE)).name)
    assert "DataLoader" not in finished.error


@pytest.mark.parametrize("line", [TRAIN, TEST])
def test_no_place_to_write_to(place: Path, line: str) -> None:
    before = files_below(place)
    check_refusal(run(line, "file/out"), "file")
    assert files_below(place) == before


def test_metrics_that_cannot_be_written_are_told_before_the_evaluation(place: Path) -> None:
    finished = run(f"{TEST} --out file/metrics.json", "out")
    check_refusal(finished, "file")
    assert not list(place.glob("out/**/results_nusc.json"))


def test_twice_in_a_row(place: Path) -> None:
    for line in (TRAIN, TEST):
        assert run(line, "out").status == 0
        kept = {path: path.stat().st_mtime_ns for path in place.glob("out/*.pth")}
        assert run(f"{line} --resume" if line == TRAIN else line, "out").status == 0
        epochs = [path for path in kept if path.name.startswith("epoch")]
        assert epochs
        assert all(path.stat().st_mtime_ns == kept[path] for path in epochs), "finished epochs are not trained again"
    assert not [name for name in files_below(place) if name.endswith(".tmp")]
