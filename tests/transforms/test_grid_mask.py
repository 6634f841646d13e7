from __future__ import annotations

import random

import numpy as np
import pytest

from bev.structures.clip import cameras_of
from bev.transforms import GridMask, LoadMultiCameraImages, PadImages


def test_squares_repeat_with_the_period_and_have_the_right_side():
    random.seed(0)
    for _ in range(30):
        rows, columns = GridMask(ratio=0.5, probability=1.0).draw(240, 320)
        edges = np.flatnonzero(np.diff(rows.astype(int)) == 1)
        if len(edges) > 2:
            periods = np.diff(edges)
            assert np.ptp(periods) == 0
            assert abs(rows[edges[0] + 1 : edges[1] + 1].mean() - 0.5) <= 0.5 / periods[0] + 1e-9
        assert columns.shape == (320,)


@pytest.mark.parametrize("ratio", [0.3, 0.5])
def test_a_quarter_of_the_image_goes_on_average(ratio):
    random.seed(0)
    shares = [np.outer(*GridMask(ratio, 1.0).draw(128, 224)).mean() for _ in range(400)]
    assert abs(np.mean(shares) - ratio**2) < 0.04


def test_probability():
    random.seed(0)
    drawn = [GridMask(probability=0.7).draw(64, 64) is not None for _ in range(500)]
    assert 0.62 < np.mean(drawn) < 0.78


def test_every_image_gets_the_same_grid_and_originals_stay(make_clip):
    random.seed(1)
    clip = LoadMultiCameraImages()(make_clip(num_frames=2))
    cameras = [camera for frame in clip["frames"] for camera in frame["cameras"].values()]
    originals = [camera["image"] for camera in cameras]
    for original in originals:
        np.maximum(original, 1, out=original)
    GridMask(probability=1.0)(clip)
    blanks = [(camera["image"] == 0).all(axis=2) for camera in cameras]
    assert 0 < blanks[0].sum() < blanks[0].size
    for camera, blank, original in zip(cameras, blanks, originals, strict=True):
        np.testing.assert_array_equal(blank, blanks[0])
        np.testing.assert_array_equal(camera["image"][~blank], original[~blank])
        assert original.min() >= 1


def test_probability_zero_leaves_images(make_clip):
    clip = LoadMultiCameraImages()(make_clip())
    image = clip["frames"][0]["cameras"]["CAM_FRONT"]["image"]
    assert GridMask(probability=0.0)(clip)["frames"][0]["cameras"]["CAM_FRONT"]["image"] is image


def test_bad_ratio():
    with pytest.raises(ValueError, match="ratio"):
        GridMask(ratio=1.0)


def test_padding_is_covered_too(make_clip):
    clip = PadImages(divisor=128)(LoadMultiCameraImages()(make_clip()))
    random.seed(1)
    GridMask(ratio=0.5, probability=1.0)(clip)
    assert all(camera["image"].shape[0] % 128 == 0 for camera in cameras_of(clip))
