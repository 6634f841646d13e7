from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from bev.geometry import CalibrationError
from bev.inference.sources import SourceError, read_images, read_videos
from bev.visualization import write_mp4

INTRINSIC = [[50.0, 0, 32], [0, 50, 24], [0, 0, 1]]
EGO_T_CAM = [[0.0, 0, 1, 1.5], [-1, 0, 0, 0], [0, -1, 0, 1.6], [0, 0, 0, 1]]
CAMERAS = {name: {"intrinsic": INTRINSIC, "ego_T_cam": EGO_T_CAM} for name in ("front", "back")}


def write(folder: Path, **content: object) -> Path:
    path = folder / "calibration.json"
    path.write_text(json.dumps({"cameras": CAMERAS, **content}))
    return path


def test_a_folder_of_images(tmp_path: Path) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[..., 2] = 255  # red, as OpenCV orders channels
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    pose = np.eye(4)
    pose[0, 3] = 7.0
    frames = [
        {"timestamp": 1.5, "images": {"front": "a.png"}, "global_T_ego": pose.tolist()},
        {"timestamp": 2.0, "images": {"front": "a.png", "back": "a.png"}},
    ]
    first, second = read_images(write(tmp_path, frames=frames))
    assert first.images["front"][0, 0].tolist() == [255, 0, 0]
    assert list(second.images) == ["front", "back"]
    assert (first.timestamp, first.ego_T_global[0, 3]) == (1.5, -7.0)
    np.testing.assert_allclose(first.cam_T_ego["front"] @ [11.5, 0, 1.6, 1], [0, 0, 10, 1], atol=1e-12)


def test_videos_are_thinned_and_get_the_nearest_pose(tmp_path: Path) -> None:
    for name in CAMERAS:
        pictures = (np.full((48, 64, 3), 10 * step, np.uint8) for step in range(10))
        write_mp4(tmp_path / f"{name}.mp4", pictures, fps=10)
    poses = [{"timestamp": t, "global_T_ego": np.diag([1.0, 1, 1, 1]).tolist()} for t in (0.0, 0.6)]
    poses[1]["global_T_ego"][0][3] = 4.0
    path = write(tmp_path, videos={name: f"{name}.mp4" for name in CAMERAS}, poses=poses)
    moments = list(read_videos(path, rate=5))
    assert [round(moment.timestamp, 2) for moment in moments] == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert [moment.ego_T_global[0, 3] for moment in moments] == [0, 0, -4, -4, -4]
    assert len(list(read_videos(path))) == 10


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="doesn't exist"):
        list(read_images(tmp_path / "none.json"))
    with pytest.raises(SourceError, match="no entry 'frames'"):
        list(read_images(write(tmp_path)))
    with pytest.raises(SourceError, match=r"frame 0, camera front: .*missing.png can't be read"):
        list(read_images(write(tmp_path, frames=[{"timestamp": 0, "images": {"front": "missing.png"}}])))
    with pytest.raises(SourceError, match=r"video .*front.mp4 can't be read"):
        list(read_videos(write(tmp_path, videos={"front": "front.mp4"})))
    (tmp_path / "calibration.json").write_text("{")
    with pytest.raises(SourceError, match="not valid JSON"):
        list(read_images(tmp_path / "calibration.json"))


@pytest.mark.parametrize(
    ("cameras", "error", "message"),
    [
        ({}, CalibrationError, "lists no cameras"),
        ({"front": {"intrinsic": "none", "ego_T_cam": EGO_T_CAM}}, SourceError, "'intrinsic' can't be"),
        ({"front": {"intrinsic": [[1, "x"]], "ego_T_cam": EGO_T_CAM}}, SourceError, "'intrinsic' is no matrix"),
    ],
)
def test_unusable_cameras_are_named(tmp_path: Path, cameras: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=rf"calibration\.json.*{message}"):
        list(read_images(write(tmp_path, cameras=cameras, frames=[])))
