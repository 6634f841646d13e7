from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from bev.geometry import CalibrationError
from bev.inference import sources
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


def write_video(path: Path, times: Sequence[float]) -> None:
    """Pictures at these times, multiples of 1/60 s, whose value is 100 times their distance from the first one."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=60, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for time in times:
            picture = np.full((48, 64, 3), round(100 * (time - times[0])), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(60 * time), Fraction(1, 60)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize("rate", [8, 20, 25])
def test_thinning_keeps_its_rate_on_average(tmp_path: Path, rate: int) -> None:
    for name in CAMERAS:
        write_video(tmp_path / f"{name}.mp4", [step / 30 for step in range(60)])
    kept = list(read_videos(write(tmp_path, videos={name: f"{name}.mp4" for name in CAMERAS}), rate=rate))
    assert abs(len(kept) - 2 * rate) <= 1


def told_times(folder: Path, front: Sequence[float], back: Sequence[float]) -> list[tuple[float, float | None]]:
    """Of each moment its time, and that of the picture of `back`, both since the first picture."""
    for name, times in (("front", front), ("back", back)):
        write_video(folder / f"{name}.mp4", times)
    told = []
    for moment in read_videos(write(folder, videos={name: f"{name}.mp4" for name in ("front", "back")})):
        seen = {name: float(image.mean()) / 100 for name, image in moment.images.items()}
        assert seen["front"] == pytest.approx(moment.timestamp - front[0], abs=0.02)
        told.append((moment.timestamp - front[0], seen.get("back")))
    return told


@pytest.mark.parametrize("rates", [(30, 10), (10, 30), (30, 12), (10, 10)])
@pytest.mark.parametrize("start", [0.0, 0.5])
def test_videos_of_different_rates_are_paired_by_time(tmp_path: Path, rates: tuple[int, int], start: float) -> None:
    front, back = ([step / rate for step in range(2 * rate)] for rate in rates)
    told = told_times(tmp_path, front, [start + time for time in back])
    assert len(told) == len(front)
    for now, seen in told:
        assert seen == pytest.approx(now, abs=0.5 / rates[1] + 0.03)


def test_a_video_of_varying_rate_is_paired_by_time(tmp_path: Path) -> None:
    steps = np.random.default_rng(0).choice([1, 2, 3], 60)  # sixtieths
    back = [0.0, *(np.cumsum(steps) / 60)]
    for now, seen in told_times(tmp_path, [step / 10 for step in range(20)], back):
        assert seen is not None
        assert abs(seen - now) < min(abs(time - now) for time in back) + 0.02


def test_no_image_where_a_video_has_a_hole_or_has_ended(tmp_path: Path) -> None:
    front = [step / 10 for step in range(20)]
    told = told_times(tmp_path, front, [time for time in front if not 0.45 < time < 0.95 and time < 1.45])
    expected = [not 0.45 < time < 0.95 and time < 1.45 for time in front]
    assert [seen is not None for _, seen in told] == expected


def test_no_video_is_read_ahead_of_time(tmp_path: Path) -> None:
    """Hours of video must not pile up in memory: one picture ahead is enough to know the nearest."""
    times = [step / 10 for step in range(20)]
    for name in CAMERAS:
        write_video(tmp_path / f"{name}.mp4", times)
    decoded = []
    decode = sources._decode

    def counted(path: Path):
        for picture in decode(path):
            decoded.append(path.stem)
            yield picture

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "_decode", counted)
        moments = read_videos(write(tmp_path, videos={name: f"{name}.mp4" for name in CAMERAS}))
        for number in range(1, 6):
            next(moments)
            assert decoded.count("front") == number
            assert decoded.count("back") == number + 1


def test_videos_without_pictures_or_times_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"calibration\.json lists no videos"):
        list(read_videos(write(tmp_path, videos={})))
    raw = tmp_path / "front.h264"
    with av.open(str(raw), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    with pytest.raises(SourceError, match=r"video .*front\.h264: its pictures have no times"):
        list(read_videos(write(tmp_path, videos={"front": raw.name})))


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


def test_a_video_is_a_file_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "front.mp4", [0.0, 0.1])
    (tmp_path / "front.mp4").rename("pipe:0")
    write(tmp_path, videos={"front": "pipe:0"})
    assert len(list(read_videos("calibration.json"))) == 2
    write(tmp_path, videos={"front": "http:/127.0.0.1:9/front.mp4"})
    with pytest.raises(SourceError, match=r"video http:/127\.0\.0\.1:9/front\.mp4 can't be read: .*No such file"):
        list(read_videos("calibration.json"))


@pytest.mark.parametrize("time", [float("nan"), float("inf"), 10**400, "x"])
def test_times_that_are_none_are_named(tmp_path: Path, time: object) -> None:
    path = write(tmp_path, frames=[{"timestamp": time, "images": {}}])
    with pytest.raises(SourceError, match=r"calibration\.json, frame 0: 'timestamp' can't be "):
        list(read_images(path))


def test_a_name_that_no_file_has_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, frames=[{"timestamp": 0, "images": {"front": "a\0b"}}])
    with pytest.raises(SourceError, match=r"frame 0, camera front: .* can't be read \(embedded null byte\)"):
        list(read_images(path))
