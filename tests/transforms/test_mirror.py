from __future__ import annotations

import numpy as np
import pytest

from bev.geometry import project
from bev.structures.clip import Clip, cameras_of
from bev.transforms import LoadMultiCameraImages, MirrorScene, PadImages

RENAMED = {"CAM_FRONT": "CAM_FRONT", "CAM_BACK": "CAM_FRONT_LEFT", "CAM_SIDE": "CAM_FRONT_RIGHT"}


@pytest.fixture
def clip(make_clip) -> Clip:
    """Loaded, with a left and a right camera, whose images differ in size."""
    clip = LoadMultiCameraImages()(make_clip(2, names=tuple(RENAMED)))
    clip["camera_names"] = [RENAMED[name] for name in clip["camera_names"]]
    for frame in clip["frames"]:
        frame["cameras"] = {RENAMED[name]: camera for name, camera in frame["cameras"].items()}
        frame["global_T_bev"], frame["can_bus"] = np.eye(4), np.zeros(18)
    return clip


def arrays(clip: Clip) -> list[np.ndarray]:
    parts = [clip["gt_boxes"].tensor.numpy(), clip["aug_T_bev"]]
    for frame in clip["frames"]:
        parts.append(frame["global_T_bev"])
        for name in sorted(frame["cameras"]):
            parts += [frame["cameras"][name]["image"], frame["cameras"][name]["pix_T_bev"]]
    return parts


def test_cameras_change_places_and_see_the_mirrored_boxes(clip: Clip) -> None:
    before = {name: dict(camera) for name, camera in clip["frames"][0]["cameras"].items()}
    corners = clip["gt_boxes"].corners.numpy().astype(np.float64)
    MirrorScene(1.0)(clip)
    pairs = {"CAM_FRONT": "CAM_FRONT", "CAM_FRONT_LEFT": "CAM_FRONT_RIGHT", "CAM_FRONT_RIGHT": "CAM_FRONT_LEFT"}
    for name, other in pairs.items():
        now = clip["frames"][0]["cameras"][other]
        np.testing.assert_array_equal(now["image"], before[name]["image"][:, ::-1])
        pixels, depth = project(before[name]["pix_T_bev"], corners)
        mirrored, same_depth = project(now["pix_T_bev"], corners * [1, -1, 1])
        np.testing.assert_allclose(same_depth, depth)
        ahead = depth > 0.1
        np.testing.assert_allclose(mirrored[ahead], ([now["width"], 0] + pixels * [-1, 1])[ahead], atol=1e-6)
    assert clip["camera_names"] == list(RENAMED.values())


@pytest.mark.parametrize(("axis", "signs"), [("x", (-1, 1)), ("y", (1, -1))])
def test_ground_truth_is_mirrored(clip: Clip, axis: str, signs: tuple[int, int]) -> None:
    old = clip["gt_boxes"].tensor.clone()
    MirrorScene(1.0, axis)(clip)
    new = clip["gt_boxes"].tensor
    for columns in ([0, 1], [7, 8]):
        np.testing.assert_allclose(new[:, columns], old[:, columns] * old.new_tensor(signs), atol=1e-5)
    np.testing.assert_allclose(np.cos(new[:, 6]), signs[0] * np.cos(old[:, 6]), atol=1e-5)
    np.testing.assert_allclose(np.sin(new[:, 6]), signs[1] * np.sin(old[:, 6]), atol=1e-5)
    np.testing.assert_array_equal(np.diag(clip["aug_T_bev"]), [*signs, 1, 1])


def test_mirrored_twice_is_as_before(clip: Clip) -> None:
    clip["aug_T_bev"] = np.eye(4)
    before = [array.copy() for array in arrays(clip)]
    MirrorScene(1.0)(MirrorScene(1.0)(clip))
    for old, new in zip(before, arrays(clip), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)


def test_a_clip_that_is_not_mirrored_loses_its_can_bus_values_alone(clip: Clip) -> None:
    camera = clip["frames"][0]["cameras"]["CAM_FRONT_LEFT"]
    MirrorScene(0.0)(clip)
    assert clip["frames"][0]["cameras"]["CAM_FRONT_LEFT"] is camera
    assert "aug_T_bev" not in clip
    assert [frame["can_bus"] for frame in clip["frames"]] == [None, None]


@pytest.mark.parametrize("options", [dict(axis="z"), dict(probability=1.5)])
def test_options_that_make_no_sense(options: dict) -> None:
    with pytest.raises(ValueError, match=r"axis is|probability must"):
        MirrorScene(**options)


def test_padding_stays_at_the_right_and_is_no_image(make_clip) -> None:
    plain = MirrorScene(1.0)(LoadMultiCameraImages()(make_clip()))
    padded = MirrorScene(1.0)(PadImages(divisor=128)(LoadMultiCameraImages()(make_clip())))
    for before, after in zip(cameras_of(plain), cameras_of(padded), strict=True):
        height, width = before["height"], before["width"]
        assert (after["height"], after["width"]) == (height, width)
        np.testing.assert_array_equal(after["image"][:height, :width], before["image"])
        assert not after["image"][height:].any() and not after["image"][:, width:].any()
        np.testing.assert_allclose(after["pix_T_bev"], before["pix_T_bev"])
