"""tools/demo.py from an index and from an image folder to MP4 and JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from small_models import checkpoint_of, offline, small_config
from tiny_training import INDEX, make_data

import bev
from bev.engine.config import load_config
from bev.visualization import write_mp4

TOOL = Path(__file__).parents[2] / "tools" / "demo.py"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A small data set, and arguments that name a model."""
    bev.register_all()
    root = make_data(tmp_path_factory.mktemp("data"))
    config = small_config(root, root / INDEX, "t2")
    config.dump(root / "config.py")
    checkpoint = checkpoint_of(config, root)
    return root, ["--config", str(root / "config.py"), "--checkpoint", str(checkpoint), "--score", "0.0"]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_as_offline(records: list[dict], config_file: Path, **dataset: object) -> None:
    config = load_config(config_file)
    config.test_dataloader.dataset.update(dataset)
    expected = offline(config, config_file.with_name("model.pth"), len(records))
    for record, (_, scores) in zip(records, expected, strict=True):
        assert [found["score"] for found in record["objects"]] == pytest.approx(scores, abs=1e-4)


def picture_of(out: Path, number: int) -> np.ndarray:
    """A frame of the video."""
    with av.open(str(out / "demo.mp4")) as container:
        return list(container.decode(video=0))[number].to_ndarray(format="rgb24")


def check(out: Path, frames: int) -> list[dict]:
    with av.open(str(out / "demo.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == frames
    records = json.loads((out / "detections.json").read_text())["frames"]
    assert len(records) == frames
    return records


def test_an_index(data: tuple[Path, list[str]], tmp_path: Path) -> None:
    root, model = data
    result = run("index", "--root", root, "--index", root / INDEX, *model, "--out", tmp_path, "--max-frames", 2)
    assert result.returncode == 0, result.stderr
    records = check(tmp_path, 2)
    assert records[0]["token"]
    assert {"name", "score", "track_id", "box_ego", "box_global"} == set(records[0]["objects"][0])
    check_as_offline(records, root / "config.py")


def test_an_index_with_a_missing_image(data: tuple[Path, list[str]], tmp_path: Path) -> None:
    """What the error advises for training and evaluation holds here, too."""
    root, model = data
    shutil.copytree(root, tmp_path / "root")
    min((tmp_path / "root" / "samples" / "CAM_FRONT").iterdir()).unlink()
    common = ("index", "--root", tmp_path / "root", "--index", root / INDEX, *model, "--out", tmp_path / "out")
    refused = run(*common, "--max-frames", 1)
    assert refused.returncode == 1
    assert "set on_error='skip-frame' in the dataset" in refused.stderr
    assert not (tmp_path / "out" / "demo.mp4").exists()
    skipped = run(*common, "--max-frames", 2, "--cfg-options", "test_dataloader.dataset.on_error=skip-frame")
    assert skipped.returncode == 0, skipped.stderr
    records = check(tmp_path / "out", 2)
    # Only the first: the second one's clip has that frame's other camera here, and leaves out the frame offline.
    check_as_offline(records[:1], root / "config.py", data_root=str(tmp_path / "root"), on_error="skip-frame")


def test_an_image_folder(data: tuple[Path, list[str]], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), np.full((900, 1600, 3), 80, np.uint8))
    camera = {
        "intrinsic": [[800, 0, 800], [0, 800, 450], [0, 0, 1]],
        "ego_T_cam": [[0, 0, 1, 1.5], [-1, 0, 0, 0], [0, -1, 0, 1.6], [0, 0, 0, 1]],
    }
    frames = [{"timestamp": 0.5 * t, "images": {"front": "a.jpg"}} for t in range(3)]
    calibration = tmp_path / "calibration.json"
    calibration.write_text(json.dumps({"cameras": {"front": camera}, "frames": frames}))
    options = ["--no-tracking", "--out", tmp_path / "out"]
    result = run("images", calibration, *data[1], *options)
    assert result.returncode == 0, result.stderr
    assert "track_id" not in check(tmp_path / "out", 3)[0]["objects"][0]
    calibration.write_text("{}")
    result = run("images", calibration, *data[1], *options)
    assert result.returncode == 1
    assert result.stderr.strip().splitlines()[-1].endswith("no entry 'cameras'")
    check(tmp_path / "out", 3)


def test_videos_of_which_one_ends_earlier(data: tuple[Path, list[str]], tmp_path: Path) -> None:
    """The other goes on, and its pictures stay where they are."""
    camera = {
        "intrinsic": [[80, 0, 80], [0, 80, 45], [0, 0, 1]],
        "ego_T_cam": [[0, 0, 1, 1.5], [-1, 0, 0, 0], [0, -1, 0, 1.6], [0, 0, 0, 1]],
    }
    for name, frames in (("a", 4), ("b", 2)):
        write_mp4(tmp_path / f"{name}.mp4", (np.full((90, 160, 3), 200, np.uint8) for _ in range(frames)), fps=2)
    calibration = tmp_path / "calibration.json"
    files = {name: f"{name}.mp4" for name in "ab"}
    calibration.write_text(json.dumps({"cameras": dict.fromkeys("ab", camera), "videos": files}))
    options = ("--score", 2, "--out", tmp_path / "out", "--cfg-options", "test_dataloader.dataset.pipeline.1.crop=None")
    result = run("videos", calibration, *data[1], *options)
    assert result.returncode == 0, result.stderr
    check(tmp_path / "out", 4)
    for number, bright in ((1, True), (3, False)):
        picture = picture_of(tmp_path / "out", number)
        assert picture[150, 200].min() > 180
        assert (picture[150, 600].min() > 180) == bright


def test_an_override_reaches_the_config(data: tuple[Path, list[str]], tmp_path: Path) -> None:
    override = ("--cfg-options", "test_dataloader.dataset.pipeline.1.corp=None")
    result = run("images", tmp_path / "absent.json", *data[1], "--out", tmp_path, *override)
    assert result.returncode == 1
    assert "no key 'corp'" in result.stderr and "did you mean crop" in result.stderr
