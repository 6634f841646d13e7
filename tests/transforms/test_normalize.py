from __future__ import annotations

import numpy as np
import pytest

from bev.transforms import LoadMultiCameraImages, NormalizeImages, PadImages


@pytest.mark.parametrize("to_rgb", [False, True])
def test_normalisation(make_clip, to_rgb):
    clip = LoadMultiCameraImages()(make_clip())
    camera = clip["frames"][0]["cameras"]["CAM_FRONT"]
    before = camera["image"][..., ::-1] if to_rgb else camera["image"]
    mean, std = [103.53, 116.28, 123.675], [57.375, 57.12, 58.395]
    NormalizeImages(mean, std, to_rgb)(clip)
    assert camera["image"].dtype == np.float32
    np.testing.assert_allclose(camera["image"], (before - np.array(mean)) / np.array(std), atol=1e-5)


def test_padding_keeps_the_valid_size(make_clip):
    clip = PadImages(divisor=32)(LoadMultiCameraImages()(make_clip(names=("CAM_SIDE",))))
    camera = clip["frames"][0]["cameras"]["CAM_SIDE"]
    assert camera["image"].shape == (128, 224, 3)
    assert (camera["height"], camera["width"]) == (121, 203)
    assert camera["image"][121:].max() == 0
    assert camera["image"][:, 203:].max() == 0
    assert camera["image"][:121, :203].max() > 0


def test_padding_to_a_size(make_clip):
    clip = PadImages(size=(200, 330))(LoadMultiCameraImages()(make_clip()))
    assert clip["frames"][0]["cameras"]["CAM_BACK"]["image"].shape == (200, 330, 3)
    with pytest.raises(ValueError, match="CAM_FRONT"):
        PadImages(size=(100, 330))(clip)


def test_bad_arguments():
    with pytest.raises(ValueError, match="std"):
        NormalizeImages([0, 0, 0], [1, 0, 1])
    with pytest.raises(ValueError, match="either"):
        PadImages()
