from __future__ import annotations

import random

import numpy as np
import pytest

from bev.transforms import LoadMultiCameraImages, NormalizeImages, PhotometricDistortion


def _distorted(clip: dict, **arguments) -> tuple[np.ndarray, np.ndarray]:
    """The front image before and after."""
    camera = LoadMultiCameraImages()(clip)["frames"][0]["cameras"]["CAM_FRONT"]
    before = camera["image"].copy()
    PhotometricDistortion(**arguments)(clip)
    return before, camera["image"]


OFF = {"brightness": 0.0, "contrast": (1, 1), "saturation": (1, 1), "hue_degrees": 0.0, "channel_swap": 0.0}


def test_without_any_change_images_stay(make_clip):
    before, after = _distorted(make_clip(), **OFF, probability=1.0)
    np.testing.assert_array_equal(after, before)
    before, after = _distorted(make_clip(), probability=0.0, channel_swap=0.0)
    np.testing.assert_array_equal(after, before)


def test_contrast_and_brightness_saturate_instead_of_wrapping(make_clip):
    before, after = _distorted(make_clip(), **{**OFF, "contrast": (1.5, 1.5)}, probability=1.0)
    assert np.abs(after - np.clip(before * 1.5, 0, 255)).max() <= 0.51
    assert (after == 255).any()
    random.seed(2)
    before, after = _distorted(make_clip(), **{**OFF, "brightness": 60.0}, probability=1.0)
    shift = after.astype(int) - before
    unclipped = (after > 0) & (after < 255)
    assert np.ptp(shift[unclipped]) == 0
    assert shift[unclipped][0] != 0


def _luma_and_chroma(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luma (h, w), and differences of blue and red to it (h, w, 2), where no channel is near saturation."""
    values = image.astype(np.float64)
    luma = values @ [0.114, 0.587, 0.299]
    return luma, values[..., ::2] - luma[..., None]


def test_saturation_scales_the_chroma_and_keeps_the_luma(make_clip):
    before, after = _distorted(make_clip(), **{**OFF, "saturation": (0.6, 0.6)}, probability=1.0)
    (old_luma, old_chroma), (new_luma, new_chroma) = _luma_and_chroma(before), _luma_and_chroma(after)
    np.testing.assert_allclose(new_luma, old_luma, atol=0.6)
    np.testing.assert_allclose(new_chroma, 0.6 * old_chroma, atol=1.2)


def test_hue_turns_colours_but_not_greys(make_clip):
    random.seed(4)
    clip = make_clip()
    before, after = _distorted(clip, **{**OFF, "hue_degrees": 18.0}, probability=1.0)
    unclipped = ((after > 0) & (after < 255)).all(axis=2)
    (old_luma, _), (new_luma, _) = _luma_and_chroma(before), _luma_and_chroma(after)
    np.testing.assert_allclose(new_luma[unclipped], old_luma[unclipped], atol=0.6)
    assert np.abs(after.astype(int) - before).max() > 5
    camera = clip["frames"][0]["cameras"]["CAM_FRONT"]
    camera["image"] = np.repeat(before[..., :1], 3, axis=2)
    grey = camera["image"]
    PhotometricDistortion(**{**OFF, "hue_degrees": 18.0}, probability=1.0)(clip)
    assert np.abs(camera["image"].astype(int) - grey).max() <= 1


def test_channel_swap_permutes(make_clip):
    random.seed(0)
    before, after = _distorted(make_clip(), **{**OFF, "channel_swap": 1.0}, probability=0.0)
    np.testing.assert_array_equal(np.sort(after, axis=2), np.sort(before, axis=2))


def test_images_are_drawn_independently(make_clip):
    random.seed(0)
    clip = LoadMultiCameraImages()(make_clip(num_frames=3))
    cameras = [camera for frame in clip["frames"] for camera in frame["cameras"].values()]
    for camera in cameras:
        camera["image"] = cameras[0]["image"]
    PhotometricDistortion()(clip)
    assert len({camera["image"].tobytes() for camera in cameras}) > 3


def test_float_images_are_refused(make_clip):
    clip = NormalizeImages([0, 0, 0], [1, 1, 1])(LoadMultiCameraImages()(make_clip()))
    with pytest.raises(TypeError, match="before NormalizeImages"):
        PhotometricDistortion()(clip)
