from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bev.geometry import project
from bev.transforms import BoxRangeFilter, RandomBEVTransform


def _corners(clip: dict) -> np.ndarray:
    """Corners (M, 8, 3) of the ground truth, metres."""
    return clip["gt_boxes"].corners.numpy().astype(np.float64)


def _pixels(clip: dict, extra: np.ndarray) -> list[np.ndarray]:
    """Where each box's corners appear in each camera, as sets: a mirrored box lists its corners in another order."""
    found = []
    for camera in clip["frames"][0]["cameras"].values():
        pixels, depth = project(camera["pix_T_bev"] @ extra, _corners(clip))
        for box, box_depth in zip(pixels, depth, strict=True):
            rows = np.concatenate([box, box_depth[:, None]], axis=1)
            found.append(rows[np.lexsort(np.round(rows, 2).T)])
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**16), flips=st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1])))
@pytest.mark.parametrize("mode", ["features", "cameras"])
def test_boxes_stay_where_they_are_in_the_images(make_clip, mode, seed, flips):
    random.seed(seed)
    clip = make_clip()
    before = _pixels(clip, np.eye(4))
    RandomBEVTransform(180.0, (0.8, 1.25), *flips, mode=mode)(clip)
    after = _pixels(clip, np.linalg.inv(clip["bev_augmentation"]))
    # Scaling the world scales depth with it; pixels don't change. In 'features' mode the inverse undoes that, too.
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-4, atol=2e-2)


@pytest.mark.parametrize("first", ["features", "cameras"])
@pytest.mark.parametrize("second", ["features", "cameras"])
def test_transforms_of_both_modes_follow_each_other(make_clip, first, second):
    random.seed(3)
    clip = make_clip()
    before = _pixels(clip, np.eye(4))
    RandomBEVTransform(180.0, (1.0, 1.0), flip_x=0.0, flip_y=0.0, mode=first)(clip)
    RandomBEVTransform(0.0, (1.0, 1.0), flip_x=1.0, flip_y=0.0, mode=second)(clip)
    for old, new in zip(before, _pixels(clip, np.linalg.inv(clip["bev_augmentation"])), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-4, atol=2e-2)


@pytest.mark.parametrize("mode", ["features", "cameras"])
def test_modes_put_the_transform_where_they_promise(make_clip, mode):
    random.seed(1)
    clip = make_clip()
    RandomBEVTransform(mode=mode)(clip)
    camera = clip["frames"][0]["cameras"]["CAM_FRONT"]
    camera_moved = not np.allclose(camera["pix_T_bev"], camera["file_pix_T_bev"])
    assert camera_moved == (mode == "cameras")
    assert np.allclose(clip["bev_augmentation"], np.eye(4)) == (mode == "cameras")
    moved = camera["file_pix_T_bev"] @ np.linalg.inv(clip["aug_T_bev"])
    np.testing.assert_allclose(camera["pix_T_bev"] @ np.linalg.inv(clip["bev_augmentation"]), moved, atol=1e-9)
    assert not np.allclose(clip["aug_T_bev"], np.eye(4))


@pytest.mark.parametrize(("flip_x", "flip_y"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_yaw_size_and_velocity_follow(make_clip, flip_x, flip_y):
    random.seed(5)
    clip = make_clip()
    old = clip["gt_boxes"]
    RandomBEVTransform(22.5, (0.95, 1.05), flip_x, flip_y)(clip)
    new, matrix = clip["gt_boxes"], clip["bev_augmentation"]
    scale = np.cbrt(abs(np.linalg.det(matrix[:3, :3])))
    linear = torch.from_numpy(matrix[:3, :3]).float()
    assert 0.95 <= scale <= 1.05
    assert np.sign(np.linalg.det(matrix[:2, :2])) == (-1) ** (flip_x + flip_y)
    torch.testing.assert_close(new.gravity_center, old.gravity_center @ linear.T)
    torch.testing.assert_close(new.tensor[:, 3:6], old.tensor[:, 3:6] * scale)
    torch.testing.assert_close(new.tensor[:, 7:], old.tensor[:, 7:] @ linear[:2, :2].T)
    heading = torch.stack([old.yaw.cos(), old.yaw.sin()], dim=1) @ linear[:2, :2].T / scale
    torch.testing.assert_close(torch.stack([new.yaw.cos(), new.yaw.sin()], dim=1), heading)


def test_flips_are_text_book(make_clip):
    """Negating x sends yaw to pi - yaw; negating y sends it to -yaw."""
    old = make_clip()["gt_boxes"].yaw
    flipped_x = RandomBEVTransform(0.0, (1.0, 1.0), 1.0, 0.0)(make_clip())["gt_boxes"].yaw
    flipped_y = RandomBEVTransform(0.0, (1.0, 1.0), 0.0, 1.0)(make_clip())["gt_boxes"].yaw
    torch.testing.assert_close((flipped_x - (np.pi - old)).sin(), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close((flipped_y + old).sin(), torch.zeros(2), atol=1e-6, rtol=0)
    assert ((flipped_x - (np.pi - old)).cos() > 0).all()
    assert ((flipped_y + old).cos() > 0).all()


def test_a_frame_without_boxes_passes(make_clip):
    clip = make_clip()
    clip["gt_boxes"], clip["gt_labels"] = clip["gt_boxes"][:0], clip["gt_labels"][:0]
    BoxRangeFilter(radius=10.0)(RandomBEVTransform()(clip))
    assert clip["gt_boxes"].tensor.shape == (0, 9)


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ({"bounds": (-10, -10, 10, 10)}, [3]),
        ({"bounds": (-15, -10, -5, 7, 10, 3)}, [6]),
        ({"radius": 9.0}, [3]),
        ({"radius": 14.0}, [3, 6]),
        ({"radius": 1.0}, []),
    ],
)
def test_range_filter(make_clip, arguments, kept):
    clip = BoxRangeFilter(**arguments)(make_clip())
    assert clip["gt_labels"].tolist() == kept
    assert len(clip["gt_boxes"]) == len(kept)


def test_what_is_out_of_range_can_be_marked_instead(make_clip):
    clip = make_clip()
    clip["gt_fields"] = {"speeds": np.array([1.0, 2.0])}
    BoxRangeFilter(radius=9.0, drop=False)(clip)
    assert clip["gt_labels"].tolist() == [3, 6]
    assert {name: values.tolist() for name, values in clip["gt_fields"].items()} == {
        "speeds": [1.0, 2.0],
        "in_range": [True, False],
    }


@pytest.mark.parametrize("arguments", [{}, {"bounds": (0, 1, 2)}, {"bounds": (0, 0, 1, 1), "radius": 1.0}])
def test_range_filter_bad_arguments(arguments):
    with pytest.raises(ValueError, match="bounds"):
        BoxRangeFilter(**arguments)


def test_bev_transform_bad_arguments():
    with pytest.raises(ValueError, match="mode"):
        RandomBEVTransform(mode="images")
    with pytest.raises(ValueError, match="scale"):
        RandomBEVTransform(scale=(1.2, 1.0))
