from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bev.geometry import project
from bev.transforms import LoadMultiCameraImages, ResizeCropFlipImages

POINT = np.array([[9.0, -0.7, 1.7]])


def _only_camera(clip: dict, name: str = "CAM_FRONT") -> dict:
    return clip["frames"][clip["current"]]["cameras"][name]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_a_painted_point_stays_on_its_projection(make_clip, marker, data, seed):
    """Whatever is cropped, resized, cut and flipped, the marker is found where the 3D point now projects to."""
    crop = data.draw(
        st.none() | st.tuples(st.integers(-5, 60), st.integers(0, 40), st.integers(240, 340), st.just(180))
    )
    how = data.draw(st.sampled_from(["heights", "size", "none"]))
    options = {
        "heights": {"heights": data.draw(st.lists(st.integers(60, 240), min_size=1, max_size=3))},
        "size": {"size": (data.draw(st.integers(64, 200)), data.draw(st.integers(96, 352)))},
        "none": {},
    }[how]
    scales = data.draw(st.sampled_from([(1.0, 1.0), (0.7, 1.2), (0.9, 1.0)]))
    clip = LoadMultiCameraImages()(make_clip(names=("CAM_FRONT",)))
    camera = _only_camera(clip)
    pixel, _ = project(camera["pix_T_bev"], POINT)
    camera["image"] = marker.paint(camera["height"], camera["width"], *pixel[0])
    random.seed(seed)
    ResizeCropFlipImages(crop=crop, scales=scales, flip=data.draw(st.sampled_from([0.0, 0.5, 1.0])), **options)(clip)

    assert camera["image"].shape == (camera["height"], camera["width"], 3)
    moved, _ = project(camera["pix_T_bev"], POINT)
    margin = 20 * max(camera["image"].shape[0] / 140, camera["image"].shape[1] / 180)
    inside = (moved[0] > margin).all() and (moved[0] < np.array(camera["image"].shape[1::-1]) - margin).all()
    if inside:
        np.testing.assert_allclose(marker.find(camera["image"]), moved[0], atol=0.15)


def test_a_painted_point_survives_scaled_decoding_crop_resize_and_flip(make_clip, marker):
    import cv2

    clip = make_clip(names=("CAM_SIDE",))
    camera = _only_camera(clip, "CAM_SIDE")
    pixel, _ = project(camera["pix_T_bev"], POINT)
    image = marker.paint(camera["height"], camera["width"], *pixel[0], sigma=6.0)
    cv2.imwrite(camera["path"], image, [cv2.IMWRITE_JPEG_QUALITY, 98])
    LoadMultiCameraImages(min_decode_scale=0.5)(clip)
    ResizeCropFlipImages(crop=(10, 21, 203, 121), size=(48, 90), flip=1.0)(clip)
    assert camera["decode_scale"] == 0.5
    assert camera["image"].shape == (48, 90, 3)
    moved, _ = project(camera["pix_T_bev"], POINT)
    np.testing.assert_allclose(marker.find(camera["image"]), moved[0], atol=0.15)


def test_flip_mirrors_pixels_and_projections(make_clip):
    clip = LoadMultiCameraImages()(make_clip(names=("CAM_FRONT",)))
    camera = _only_camera(clip)
    image, (pixel, depth) = camera["image"], project(camera["pix_T_bev"], POINT)
    ResizeCropFlipImages(flip=1.0)(clip)
    moved, moved_depth = project(camera["pix_T_bev"], POINT)
    np.testing.assert_array_equal(camera["image"], image[:, ::-1])
    np.testing.assert_allclose(moved[0], [320 - pixel[0, 0], pixel[0, 1]])
    np.testing.assert_allclose(moved_depth, depth)


def test_box_corners_follow_crop_and_resize(make_clip):
    """The official setting: crop rows off the top, resize to a height; corners move by the text-book formula."""
    clip = LoadMultiCameraImages()(make_clip(names=("CAM_FRONT",)))
    camera = _only_camera(clip)
    corners = clip["gt_boxes"][:1].corners.reshape(-1, 3).numpy().astype(np.float64)
    before, _ = project(camera["pix_T_bev"], corners)
    ResizeCropFlipImages(crop=(0, 52, 320, 180), heights=(64,))(clip)
    after, _ = project(camera["pix_T_bev"], corners)
    assert camera["image"].shape == (64, 160, 3)
    np.testing.assert_allclose(after, (before - [0, 52]) / 2)


def test_cameras_and_frames_share_one_draw(make_clip):
    random.seed(3)
    transform = ResizeCropFlipImages(heights=range(60, 240), scales=(0.8, 1.2), flip=0.5)
    for _ in range(4):
        clip = transform(LoadMultiCameraImages()(make_clip(num_frames=2)))
        frames = clip["frames"]
        affines = [
            camera["pix_T_bev"] @ np.linalg.inv(camera["file_pix_T_bev"])
            for frame in frames
            for camera in frame["cameras"].values()
        ]
        for affine in affines[1:]:
            np.testing.assert_allclose(affine, affines[0], atol=1e-9)


def test_draws_differ_between_samples(make_clip):
    random.seed(0)
    transform = ResizeCropFlipImages(heights=range(60, 240), flip=0.5)
    drawn = [_only_camera(transform(LoadMultiCameraImages()(make_clip()))) for _ in range(12)]
    assert len({camera["height"] for camera in drawn}) > 3
    assert len({camera["pix_T_bev"][0, 1] > 0 for camera in drawn}) == 2


def test_nothing_is_random_outside_training(make_clip):
    transform = ResizeCropFlipImages(heights=(80, 90, 100), scales=(0.5, 2.0), flip=1.0, training=False)
    camera = _only_camera(transform(LoadMultiCameraImages()(make_clip())))
    assert camera["image"].shape == (90, 160, 3)
    np.testing.assert_allclose(camera["pix_T_bev"][:2], camera["file_pix_T_bev"][:2] / 2)


def test_size_with_scales_gives_a_constant_shape(make_clip):
    transform = ResizeCropFlipImages(size=(96, 160), scales=(0.6, 1.5))
    for _ in range(5):
        assert _only_camera(transform(LoadMultiCameraImages()(make_clip())))["image"].shape == (96, 160, 3)


def test_a_crop_beside_the_image_is_named(make_clip):
    clip = LoadMultiCameraImages()(make_clip())
    with pytest.raises(ValueError, match=r"CAM_FRONT_0\.jpg: crop"):
        ResizeCropFlipImages(crop=(0, 260, 1600, 900))(clip)


@pytest.mark.parametrize(
    "arguments",
    [
        {"heights": (64,), "size": (64, 64)},
        {"heights": ()},
        {"scales": (0.0, 1.0)},
        {"flip": 1.5},
        {"interpolation": "nearest"},
    ],
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=list(arguments)[-1]):
        ResizeCropFlipImages(**arguments)
