"""The tool end to end: pictures and videos of boxes and of occupancy, and one line for what is missing."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from tiny_nuscenes import write_occupancy, write_pictures, write_tables
from tiny_waymo import START, write_release

from bev.datasets.image_files import ImageReadError
from bev.datasets.nuscenes.index_build import build_indexes
from bev.datasets.occ3d import FREE, GRID, OccupancyLabelError
from bev.datasets.occ3d.submission import write_prediction
from bev.datasets.submission_errors import SubmissionError
from bev.datasets.waymo.index_build import build_indexes as build_waymo_indexes
from bev.datasets.waymo.objects import ObjectsFileError
from bev.errors import InputError

TOOL = Path(__file__).parents[2] / "tools" / "visualize.py"
TOKENS = [f"scene-0103-{number}" for number in range(3)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_tables(tmp_path_factory.mktemp("nuscenes"), scenes=("scene-0103",))
    build_indexes(root, "v1.0-mini")
    write_occupancy(write_pictures(root))
    for token in TOKENS:
        write_prediction(root / "predictions", token, np.full(GRID.shape, FREE, np.uint8))
    return root


@pytest.fixture(scope="module")
def draw(root: Path) -> Callable[..., None]:
    main = runpy.run_path(str(TOOL))["main"]

    def run(drawn: str, *arguments: object) -> None:
        main([drawn, "--root", str(root), "--index", str(root / "nuscenes_infos_mini_val.pkl"), *map(str, arguments)])

    return run


def sizes_of(video: Path) -> list[tuple[int, int]]:
    with av.open(str(video)) as container:
        return [(frame.height, frame.width) for frame in container.decode(video=0)]


def test_occupancy_as_pictures_and_video(draw: Callable, root: Path, tmp_path: Path) -> None:
    arguments = ["--out", tmp_path, "--count", 2, "--width", 400, "--video", tmp_path / "v.mp4"]
    draw("occupancy", "--results", root / "predictions", *arguments)
    pictures = sorted(tmp_path.glob("*.png"))
    assert [path.stem for path in pictures] == [TOKENS[0], TOKENS[2]]
    shapes = {cv2.imread(str(path)).shape for path in pictures}
    assert len(shapes) == 1
    height, width, _ = shapes.pop()
    assert width == 400
    assert sizes_of(tmp_path / "v.mp4") == [(height, width)] * 3


def test_chosen_samples_and_frames(draw: Callable, tmp_path: Path) -> None:
    arguments = ["--out", tmp_path, "--tokens", TOKENS[1], "--video", tmp_path / "v.mp4", "--video-frames", 2]
    draw("occupancy", "--width", 300, "--mask", "camera", *arguments)
    assert [path.stem for path in tmp_path.glob("*.png")] == [TOKENS[1]]
    assert len(sizes_of(tmp_path / "v.mp4")) == 2


def test_boxes_as_pictures_and_video(draw: Callable, tmp_path: Path) -> None:
    draw("nuscenes", "--out", tmp_path, "--count", 1, "--camera-width", 200, "--video", tmp_path / "v.mp4")
    (picture,) = tmp_path.glob("*.png")
    assert sizes_of(tmp_path / "v.mp4") == [cv2.imread(str(picture)).shape[:2]] * 3


def test_waymo_frames(tmp_path: Path) -> None:
    data = write_release(tmp_path / "waymo", {"training": ("a",)}, frames=2)
    build_waymo_indexes(data)
    arguments = ["waymo", "--root", data, "--index", data / "waymo_infos_training.pkl", "--out", tmp_path / "out"]
    main = runpy.run_path(str(TOOL))["main"]
    main([*map(str, arguments), "--camera-width", "120", "--video", str(tmp_path / "v.mp4")])
    pictures = sorted((tmp_path / "out").glob("*.png"))
    assert [path.stem for path in pictures] == [f"a_{START}", f"a_{START + 100_000}"]
    assert sizes_of(tmp_path / "v.mp4") == [cv2.imread(str(path)).shape[:2] for path in pictures]
    (tmp_path / "broken.bin").write_bytes(b"nothing")
    with pytest.raises(ObjectsFileError, match=r"broken\.bin: not an Objects message"):
        main([*map(str, arguments), "--results", str(tmp_path / "broken.bin")])


def test_predictions_alone_need_no_labels(root: Path, tmp_path: Path) -> None:
    without = tmp_path / "data"
    shutil.copytree(root, without, ignore=shutil.ignore_patterns("gts"))
    main = runpy.run_path(str(TOOL))["main"]
    arguments = ["occupancy", "--root", without, "--index", without / "nuscenes_infos_mini_val.pkl"]
    arguments += ["--out", tmp_path / "out", "--count", 1, "--width", 300]
    with pytest.raises(OccupancyLabelError, match="data/gts: no such folder"):
        main([*map(str, arguments)])
    main([*map(str, arguments), "--results", str(root / "predictions"), "--no-truth"])
    assert len(list((tmp_path / "out").glob("*.png"))) == 1


def test_a_missing_and_a_misshapen_prediction(draw: Callable, root: Path, tmp_path: Path) -> None:
    arguments = ["--results", tmp_path, "--out", tmp_path / "out", "--tokens", TOKENS[0], "--width", 300]
    with pytest.raises(SubmissionError, match=rf"{TOKENS[0]}\.npz: no such file"):
        draw("occupancy", *arguments)
    np.savez(tmp_path / f"{TOKENS[0]}.npz", np.zeros((100, 100, 8), np.uint8))
    with pytest.raises(SubmissionError, match=r"shape \(100, 100, 8\) instead of \(200, 200, 16\)"):
        draw("occupancy", *arguments)
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--tokens", "nobody"], "no sample nobody"), (["--no-truth"], "--no-truth leaves nothing to draw")],
)
def test_unusable_arguments(draw: Callable, tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw("occupancy", "--out", tmp_path, *arguments)


def test_what_is_missing_is_one_line(root: Path, tmp_path: Path) -> None:
    command = ["occupancy", "--root", tmp_path, "--index", root / "nuscenes_infos_mini_val.pkl", "--out", tmp_path]
    result = subprocess.run(
        [sys.executable, str(TOOL), *map(str, command)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.strip().splitlines()[-1].startswith(f"error: {tmp_path}/gts: no such folder")
    assert "Traceback" not in result.stderr


@pytest.fixture
def partial(root: Path, tmp_path: Path) -> Path:
    """The data with the first sample's front image missing and the last one's cut short."""
    shutil.copytree(root, tmp_path / "partial")
    first, _, last = sorted((tmp_path / "partial" / "samples" / "CAM_FRONT").iterdir())
    first.unlink()
    last.write_bytes(last.read_bytes()[:500])
    return tmp_path / "partial"


def arguments_for(root: Path, out: Path, *more: object) -> list[str]:
    index = root / "nuscenes_infos_mini_val.pkl"
    return [*map(str, ("nuscenes", "--root", root, "--index", index, "--out", out, "--camera-width", 64, *more))]


def test_missing_images_are_left_out_if_asked_for(partial: Path, tmp_path: Path, capsys) -> None:
    main = runpy.run_path(str(TOOL))["main"]
    with pytest.raises(ImageReadError, match=r"jpg: cannot be read .*; sample \S+\. Restore the file, or leave"):
        main(arguments_for(partial, tmp_path / "out"))
    main(arguments_for(partial, tmp_path / "out", "--skip-missing", "--video", tmp_path / "v.mp4"))
    assert [path.stem for path in (tmp_path / "out").glob("*.png")] == [TOKENS[1]]
    assert len(sizes_of(tmp_path / "v.mp4")) == 1
    said = capsys.readouterr().out
    assert f"1 of 3 samples left out: images are missing below {partial}" in said
    assert "figures: 1 of 2 samples left out: an image can't be read" in said
    main(arguments_for(partial, tmp_path / "none", "--skip-missing", "--tokens", TOKENS[0]))
    assert not list((tmp_path / "none").glob("*.png"))


def test_data_without_any_image_is_an_error(partial: Path, tmp_path: Path) -> None:
    shutil.rmtree(partial / "samples")
    main = runpy.run_path(str(TOOL))["main"]
    with pytest.raises(InputError, match=r"val\.pkl: no sample has all its images below .*partial$"):
        main(arguments_for(partial, tmp_path / "out", "--skip-missing"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--count", "-1"], "argument --count: expected a number of at least 0, not -1"),
        (["--video-frames", "0"], "argument --video-frames: expected a number of at least 1, not 0"),
        (["--camera-width", "0"], "argument --camera-width: expected a number of at least 64, not 0"),
        (["--fps", "0"], "argument --fps: expected a number above 0, not 0"),
    ],
)
def test_numbers_that_make_no_picture_are_refused(root: Path, tmp_path: Path, more, message: str, capsys) -> None:
    with pytest.raises(SystemExit):
        runpy.run_path(str(TOOL))["parse_args"](arguments_for(root, tmp_path, *more))
    assert message in capsys.readouterr().err


def test_training_curves_without_a_training(root: Path, tmp_path: Path) -> None:
    main = runpy.run_path(str(TOOL))["main"]
    with pytest.raises(InputError, match=r"work: no \*/vis_data/scalars\.json"):
        main(arguments_for(root, tmp_path / "out", "--count", 1, "--scalars", tmp_path / "work"))
    assert not (tmp_path / "out").exists()


def test_curves_are_drawn_before_the_video(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bev.visualization.write_mp4", killed)
    scalars = tmp_path / "work" / "first" / "vis_data" / "scalars.json"
    scalars.parent.mkdir(parents=True)
    scalars.write_text('{"loss": 1.0, "step": 1}\n{"loss": 0.5, "step": 2}\n')
    more = ("--count", 0, "--scalars", tmp_path / "work", "--video", tmp_path / "v.mp4")
    with pytest.raises(KeyboardInterrupt):
        runpy.run_path(str(TOOL))["main"](arguments_for(root, tmp_path / "out", *more))
    assert (tmp_path / "out" / "training.png").exists()
