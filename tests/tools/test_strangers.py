"""Files of strangers that no command line names, caches and unfinished parts, and what checkpoints carry along."""

from __future__ import annotations

import pickle
import uuid
from pathlib import Path

import pytest
import torch
from tiny_nuscenes import write_tables
from tiny_openlane import write_openlane
from tiny_training import CONFIG, make_data, options
from tiny_waymo import write_release
from tool_runs import Finished, finish_tool
from tool_world import MARKER, hostile

from bev.datasets.index_io import read_index


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plant(folder: Path, pattern: str) -> int:
    """Puts hostile files into the place of those that fit; returns how many."""
    found = list(folder.glob(pattern))
    for path in found:
        path.write_bytes(hostile(path.name))
    return len(found)


@pytest.mark.parametrize(
    ("dataset", "options", "index"),
    [
        ("nuscenes", "--version v1.0-mini", "nuscenes_infos_mini_val.pkl"),
        ("openlane_v2", "--subset A", "openlane_v2_A_infos_train.pkl"),
        ("waymo", "", "waymo_infos_training.pkl"),
    ],
)
def test_planted_parts_of_an_index_are_made_again(
    here: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, options: str, index: str
) -> None:
    write = {"nuscenes": write_tables, "openlane_v2": write_openlane, "waymo": write_release}[dataset]
    write(here / "data")
    command = ("create_data", dataset, "--root", "data", *options.split(), "--workers", "1", "--out", "out")
    assert finish_tool(*command).status == 0
    expected = pickle.dumps(read_index(here / "out" / index)["data_list"])
    with monkeypatch.context() as patch:  # stops when the parts are done, as a kill would
        patch.setattr("bev.datasets.waymo.index_build._merge", interrupt)
        patch.setattr("bev.datasets.nuscenes.index_build._merge", interrupt)
        patch.setattr("bev.datasets.openlane_v2.index_build._write", interrupt)
        assert finish_tool(*command).status == 130
    assert plant(here, "out/.*/*.pkl") + plant(here, "out/.*/*.npz") > 1
    assert finish_tool(*command).status == 0
    assert pickle.dumps(read_index(here / "out" / index)["data_list"]) == expected
    assert not (here / MARKER).exists()


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def train(data: Path, epochs: int, *arguments: object) -> Finished:
    """Runs the training tool with the working directory's `work` as work dir, in one process."""
    words = ("--work-dir", "work", *arguments, *options(data, epochs), "train_dataloader.num_workers=0")
    return finish_tool("train", CONFIG, *words, f"experiment_name={uuid.uuid4().hex}")


def test_resuming_does_not_run_the_config_in_a_checkpoint(here: Path) -> None:
    data = make_data(here / "data")
    assert train(data, 1).status == 0
    (path,) = (here / "work").glob("epoch_*.pth")
    checkpoint = torch.load(path, weights_only=False)
    checkpoint["meta"]["config"] = f"x = 1\n__import__('os').mkdir({str(here / MARKER)!r})\n"
    torch.save(checkpoint, path)
    finished = train(data, 2, "--resume")
    assert finished.status == 0, finished.err
    assert not (here / MARKER).exists()
    assert len(list((here / "work").glob("epoch_2.pth"))) == 1


def test_a_checkpoint_without_state_of_a_training_cannot_be_resumed(here: Path) -> None:
    torch.save({"state_dict": {}}, here / "weights.pth")
    finished = train(make_data(here / "data"), 1, "--resume", "weights.pth")
    assert finished.status == 1
    assert finished.error.startswith("error: checkpoint weights.pth has no state of a training to resume; start from")
