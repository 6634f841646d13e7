from __future__ import annotations

import json
import pickle
import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tiny_nuscenes import write_tables

from bev.datasets.nuscenes.submission import write_submission
from bev.datasets.openlane_v2.submission import read_submission
from bev.datasets.submission_errors import SubmissionError
from bev.datasets.waymo.objects import objects_from_arrays

TOOL = Path(__file__).parents[2] / "tools" / "submit.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tables(tmp_path / "data", version="v1.0-test", scenes=("scene-0077",), annotated=False)


def _submit(root: Path, results: Path, out: Path, *options: str) -> None:
    arguments = ["--results", results, "--root", root, "--version", "v1.0-test", "--split", "test", "--out", out]
    runpy.run_path(str(TOOL))["main"](["nuscenes", *map(str, arguments), *options])


def test_validates_and_packs_a_submission_of_the_test_split(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    results = tmp_path / "results.json"
    write_submission(results, {f"scene-0077-{i}": [] for i in range(3)})
    _submit(root, results, tmp_path / "out", "--use-external")
    assert "valid for test: 3 samples, 0 boxes" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "out" / "results_nusc.zip") as archive:
        packed = json.loads(archive.read("results_nusc.json"))
    assert packed["meta"] == {
        "use_camera": True,
        "use_lidar": False,
        "use_radar": False,
        "use_map": False,
        "use_external": True,
    }
    assert packed == json.loads((tmp_path / "out" / "results_nusc.json").read_text(encoding="utf-8"))


def test_an_incomplete_submission_is_refused_and_nothing_written(root: Path, tmp_path: Path):
    results = tmp_path / "results.json"
    write_submission(results, {"scene-0077-0": []})
    with pytest.raises(SubmissionError, match="2 of 3 samples of the split are missing, such as scene-0077-1"):
        _submit(root, results, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def _submit_lanes(goldens: Path, folder: Path, *options: str) -> Path:
    predictions = json.loads((goldens / "openlanev2_metric" / "predictions.json").read_text())
    (folder / "lanes.pkl").write_bytes(pickle.dumps(predictions))
    files = ["--results", folder / "lanes.pkl", "--out", folder / "submission.pkl"]
    runpy.run_path(str(TOOL))["main"](["openlane_v2", *map(str, files), *options])
    return folder / "submission.pkl"


def test_a_lane_submission_takes_its_metadata_from_a_file_and_options(
    goldens: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    (tmp_path / "team.yaml").write_text(
        "method: Old\nauthors: [A, B]\ne-mail: a@example.org\ninstitution / company: I\ncountry / region: CH\n"
    )
    (tmp_path / "frames.json").write_text(json.dumps({"train": {"00000": ["1.json", "2.json"], "00001": ["3.json"]}}))
    frames = ["--frames", str(tmp_path / "frames.json"), "--split", "train"]
    written = _submit_lanes(goldens, tmp_path, "--metadata", str(tmp_path / "team.yaml"), "--method", "New", *frames)
    assert "valid, 3 frames (all of train)" in capsys.readouterr().out
    content = read_submission(written)
    assert (content["method"], content["authors"], content["country / region"]) == ("New", ["A", "B"], "CH")


def test_missing_metadata_of_a_lane_submission_are_named(goldens: Path, tmp_path: Path):
    with pytest.raises(SubmissionError, match="metadata are missing: institution / company, country / region, authors"):
        _submit_lanes(goldens, tmp_path, "--method", "New", "--e-mail", "a@example.org")
    assert not (tmp_path / "submission.pkl").exists()


def test_waymo_predictions_become_an_archive(tmp_path: Path, capsys: pytest.CaptureFixture):
    arrays = {"box": np.ones((3, 7)), "type": np.ones(3), "score": np.ones(3)}
    message = objects_from_arrays(arrays, ["a", "a", "b"], [1, 2, 1])
    (tmp_path / "p.bin").write_bytes(message.SerializeToString())
    fields = ("account_name", "unique_method_name", "affiliation", "description", "method_link")
    (tmp_path / "method.yaml").write_text("".join(f"{name}: x\n" for name in fields) + "authors: [x]\n")
    (tmp_path / "segments.txt").write_text("a\nb\n")
    names = {"results": "p.bin", "metadata": "method.yaml", "segments": "segments.txt", "out": "s.tar.gz"}
    arguments = [word for name, file in names.items() for word in (f"--{name}", str(tmp_path / file))]
    runpy.run_path(str(TOOL))["main"](["waymo", *arguments])
    assert "s.tar.gz: valid: 3 boxes in 3 frames, 4 shards" in capsys.readouterr().out
