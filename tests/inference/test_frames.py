from __future__ import annotations

import numpy as np
import pytest
import torch

from bev.datasets.nuscenes.classes import CAMERAS
from bev.errors import InputError
from bev.inference.frames import FrameBuilder, as_bgr, camera_slots
from bev.structures import CameraClip

PICTURE = np.zeros((4, 6, 3), np.uint8)


def build(images: dict, intrinsics: dict, cam_T_ego: dict, slots: tuple[str, ...] = ("front",)) -> CameraClip | None:
    built = FrameBuilder([])(images, intrinsics, cam_T_ego, np.eye(4), np.zeros(18), slots)
    return None if built is None else built[0]


def test_pixels_of_other_types_are_rounded() -> None:
    image = torch.tensor([254.6, 10.2, 0.0])[:, None, None].expand(3, 2, 4)
    assert as_bgr(image, "rgb", "front")[0, 0].tolist() == [0, 10, 255]


@pytest.mark.parametrize("value", [-1.0, 256.0, np.nan])
def test_values_that_are_no_pixels_are_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"camera front has values outside 0\.\.255 \(float64\)"):
        as_bgr(np.full((2, 2, 3), value), "bgr", "front")


@pytest.mark.parametrize("lacking", ["intrinsics", "cam_T_ego"])
def test_an_image_of_a_camera_that_nobody_describes_is_refused(lacking: str) -> None:
    tables = {"intrinsics": {"front": np.eye(3)}, "cam_T_ego": {"front": np.eye(4)}}
    tables[lacking] = {}
    with pytest.raises(InputError, match=f"camera front has an image but no entry in {lacking}"):
        build({"front": PICTURE}, **tables)


def test_a_camera_outside_the_axis_is_refused() -> None:
    with pytest.raises(InputError, match=r"camera top is not one of back, front: .*cameras=\[\.\.\.\]"):
        build({"front": PICTURE, "top": PICTURE}, {"front": np.eye(3)}, {"front": np.eye(4)}, slots=("back", "front"))


def test_cameras_keep_their_place_in_the_axis() -> None:
    front = np.diag([1.0, 2.0, 1.0])
    clip = build({"front": PICTURE}, {"front": front}, {"front": np.eye(4)}, slots=("back", "front"))
    assert clip is not None
    assert clip.camera_mask[0, 0].tolist() == [False, True]
    assert clip.pix_T_bev[0, 0, :, 1, 1].tolist() == [1, 2]
    assert build({"front": None}, {}, {}) is None


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (({"b": 0, "a": 0}, {}), ("a", "b")),
        (({"b": 0}, {"c": 0, "a": 0}), ("a", "b", "c")),
        (({"CAM_BACK": 0}, {"CAM_FRONT": 0}), CAMERAS),
        (({"CAM_BACK": 0, "CAM_TOP": 0, "a": 0},), (*CAMERAS, "CAM_TOP", "a")),
        (({}, {}), ()),
    ],
)
def test_all_known_cameras_have_a_slot_and_nuscenes_has_all_six(tables: tuple, expected: tuple[str, ...]) -> None:
    assert camera_slots(*tables) == expected
