from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import google_crc32c
import numpy as np
import pytest

from bev.datasets.image_files import FilePart, ImageReadError, read_image
from bev.geometry import project
from bev.transforms import LoadMultiCameraImages


def test_full_images_are_what_opencv_reads(make_clip):
    clip = LoadMultiCameraImages()(make_clip(num_frames=2, names=("CAM_FRONT", "CAM_SIDE")))
    for frame in clip["frames"]:
        for camera in frame["cameras"].values():
            np.testing.assert_array_equal(camera["image"], cv2.imread(camera["path"]))
            assert camera["image"].dtype == np.uint8
            np.testing.assert_array_equal(camera["pix_T_bev"], camera["file_pix_T_bev"])


def test_threads_change_nothing(make_clip):
    serial = LoadMultiCameraImages()(make_clip(num_frames=3))
    threaded = LoadMultiCameraImages(num_threads=4)(make_clip(num_frames=3))
    for a, b in zip(serial["frames"], threaded["frames"], strict=True):
        for name in a["cameras"]:
            np.testing.assert_array_equal(a["cameras"][name]["image"], b["cameras"][name]["image"])


@pytest.mark.parametrize(("min_scale", "divisor"), [(1.2, 1), (1.0, 1), (0.51, 1), (0.5, 2), (0.25, 4), (0.1, 8)])
@pytest.mark.parametrize("name", ["CAM_FRONT", "CAM_SIDE"])
def test_a_scaled_decode_keeps_points_where_they_are(make_clip, marker, min_scale, divisor, name):
    """Also with odd sizes, where the decoded image is rounded up but pixels keep their scale."""
    clip = make_clip(names=(name,))
    camera = clip["frames"][0]["cameras"][name]
    point = np.array([[9.0, -1.3, 2.1]])
    pixel, _ = project(camera["pix_T_bev"], point)
    image = marker.paint(camera["height"], camera["width"], *pixel[0], sigma=10.0)
    cv2.imwrite(camera["path"], image, [cv2.IMWRITE_JPEG_QUALITY, 98])
    height = camera["height"]

    LoadMultiCameraImages(min_decode_scale=min_scale)(clip)
    assert camera["decode_scale"] == 1 / divisor
    assert camera["image"].shape[0] == camera["height"] == -(-height // divisor)
    moved, _ = project(camera["pix_T_bev"], point)
    np.testing.assert_allclose(moved[0], pixel[0] / divisor, atol=1e-9)
    np.testing.assert_allclose(marker.find(camera["image"]), moved[0], atol=0.1)


def test_png_is_always_decoded_in_full(make_clip):
    clip = LoadMultiCameraImages(min_decode_scale=0.1)(make_clip(suffix=".png"))
    assert clip["frames"][0]["cameras"]["CAM_FRONT"]["image"].shape == (180, 320, 3)


def test_parts_of_files(make_clip, tmp_path):
    """Images in one file of records: the same pixels, and damage is named with its place."""
    clip = make_clip(names=("CAM_FRONT", "CAM_SIDE"))
    cameras = clip["frames"][0]["cameras"]
    wanted = {name: cv2.imread(camera["path"]) for name, camera in cameras.items()}
    records, content = tmp_path / "records", b"head"
    for camera in cameras.values():
        data = Path(camera["path"]).read_bytes()
        camera.update(path=str(records), part=FilePart(len(content), len(data), google_crc32c.value(data)))
        content += data + b"between"
    records.write_bytes(content)
    LoadMultiCameraImages()(clip)
    for name, camera in cameras.items():
        np.testing.assert_array_equal(camera["image"], wanted[name])
    size, part = wanted["CAM_SIDE"].shape[:2], cameras["CAM_SIDE"]["part"]
    for damaged in (content[: part.offset + 100], content.replace(b"between", b"betwe__")[2:]):
        records.write_bytes(damaged)
        with pytest.raises(ImageReadError, match=f"{records}, image at byte {part.offset}: .*checksum"):
            read_image(str(records), size, part=part)


def _missing(path: Path) -> None:
    path.unlink()


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _garble(path: Path) -> None:
    path.write_bytes(b"not an image")


def _resize(path: Path) -> None:
    cv2.imwrite(str(path), np.zeros((90, 160, 3), np.uint8))


FAULTS = {_missing: "cannot be read", _truncate: "truncated", _empty: "truncated", _garble: "decode", _resize: "160x90"}


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("spoil", FAULTS)
def test_a_bad_image_is_named(make_clip, spoil, suffix):
    clip = make_clip(num_frames=2, suffix=suffix)
    path = Path(clip["frames"][0]["cameras"]["CAM_BACK"]["path"])
    spoil(path)
    with pytest.raises(ImageReadError, match=FAULTS[spoil]) as caught:
        LoadMultiCameraImages()(clip)
    message = str(caught.value)
    assert str(path) in message
    assert "CAM_BACK" in message
    assert "sample0" in message
    assert "skip-frame" in message


def test_skip_frame_leaves_out_a_bad_frame_of_the_history_and_logs_it_once(make_clip, monkeypatch):
    logged = []
    monkeypatch.setattr("bev.transforms.loading.print_log", lambda message, **_: logged.append(message))
    loader = LoadMultiCameraImages(num_threads=2)
    for _ in range(2):
        clip = make_clip(num_frames=3)
        clip["on_error"] = "skip-frame"
        _truncate(Path(clip["frames"][1]["cameras"]["CAM_BACK"]["path"]))
        loader(clip)
    assert [frame["valid"] for frame in clip["frames"]] == [True, False, True]
    assert len(logged) == 1
    assert "CAM_BACK_1" in logged[0]


def test_skip_frame_drops_a_bad_camera_of_the_current_frame(make_clip):
    clip = make_clip(num_frames=2)
    clip["on_error"] = "skip-frame"
    _missing(Path(clip["frames"][1]["cameras"]["CAM_BACK"]["path"]))
    LoadMultiCameraImages()(clip)
    assert list(clip["frames"][1]["cameras"]) == ["CAM_FRONT"]
    assert clip["frames"][0]["valid"]


def test_skip_frame_needs_one_camera_of_the_current_frame(make_clip):
    clip = make_clip()
    clip["on_error"] = "skip-frame"
    for camera in clip["frames"][0]["cameras"].values():
        _missing(Path(camera["path"]))
    with pytest.raises(ImageReadError, match="sample0: no camera image"):
        LoadMultiCameraImages()(clip)


def test_metadata_behind_the_end_of_a_jpeg_is_no_truncation(make_clip):
    path = Path(make_clip()["frames"][0]["cameras"]["CAM_FRONT"]["path"])
    path.write_bytes(path.read_bytes() + bytes(100))
    assert read_image(str(path), (180, 320))[0].shape == (180, 320, 3)


def test_the_loader_travels_to_spawned_workers():
    assert pickle.loads(pickle.dumps(LoadMultiCameraImages(num_threads=2))).num_threads == 2


@pytest.mark.parametrize("arguments", [{"num_threads": 0}, {"min_decode_scale": 0.0}])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        LoadMultiCameraImages(**arguments)
