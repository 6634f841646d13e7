from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest

from bev.geometry import Lens
from bev.transforms import LoadMultiCameraImages, UndistortImages

# One of Waymo's lenses, for an image of 320 x 180 pixels.
LENS = Lens((340.0, 342.0), (158.0, 95.0), (0.04, -0.33, 0.001, -0.0016, 0.0))


@pytest.mark.parametrize("min_scale", [1.0, 0.5])
def test_points_move_to_where_the_projection_says(make_clip, marker, min_scale: float) -> None:
    for ideal in ((30.0, 30.0), (290.0, 150.0), (158.0, 95.0), (40.0, 160.0)):
        clip = make_clip(names=("CAM_FRONT",))
        camera = clip["frames"][0]["cameras"]["CAM_FRONT"]
        camera["lens"] = LENS
        shown = LENS.distort(np.array([ideal]))[0]
        picture = marker.paint(camera["height"], camera["width"], *shown, sigma=6.0)
        cv2.imwrite(camera["path"], picture, [cv2.IMWRITE_JPEG_QUALITY, 98])
        clip = UndistortImages()(LoadMultiCameraImages(min_decode_scale=min_scale)(clip))
        np.testing.assert_allclose(marker.find(camera["image"]), np.array(ideal) * min_scale, atol=0.12)
        assert "lens" not in camera


def test_images_without_a_lens_stay(make_clip) -> None:
    clip = LoadMultiCameraImages()(make_clip(names=("CAM_FRONT", "CAM_SIDE")))
    cameras = clip["frames"][0]["cameras"]
    cameras["CAM_SIDE"]["lens"] = LENS._replace(distortion=(0.0,) * 5)
    before = {name: camera["image"] for name, camera in cameras.items()}
    UndistortImages()(clip)
    assert all(camera["image"] is before[name] for name, camera in cameras.items())


def test_tables_of_recent_lenses_are_kept(make_clip, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    maps = Lens.maps
    monkeypatch.setattr(Lens, "maps", lambda lens, *key: made.append(lens.centre[0]) or maps(lens, *key))
    transform = UndistortImages(cache_size=2)
    for centre in (1.0, 2.0, 1.0, 3.0, 1.0, 2.0):
        clip = LoadMultiCameraImages()(make_clip(names=("CAM_FRONT",)))
        clip["frames"][0]["cameras"]["CAM_FRONT"]["lens"] = LENS._replace(centre=(centre, 90.0))
        transform(clip)
    assert made == [1.0, 2.0, 3.0, 2.0]
    assert len(pickle.dumps(transform)) < 1000
