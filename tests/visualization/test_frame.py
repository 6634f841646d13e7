from __future__ import annotations

import numpy as np
import pytest

from bev.visualization import BoxSet, draw_bev, draw_frame
from bev.visualization.frame import camera_rows
from bev.visualization.layout import title_strip
from bev.visualization.palette import BACKGROUND, CLASS_COLOURS, PANEL, TRUTH

CAMERAS = ("CAM_FRONT", "CAM_FRONT_LEFT", "CAM_BACK", "SIDE")
WAYMO_SIZES = {"FRONT": (60, 90), "FRONT_LEFT": (60, 90), "FRONT_RIGHT": (60, 90)} | dict.fromkeys(
    ("SIDE_LEFT", "SIDE_RIGHT"), (40, 90)
)


def boxes(x: float, y: float, name: str) -> BoxSet:
    return BoxSet(np.array([[x, y, 0, 4, 4, 2, 0.0]]), [name], np.array([0.9]))


def near(panel: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Mean (row, column) of the pixels close to a colour."""
    return np.argwhere(np.abs(panel.astype(int) - colour).max(axis=2) < 24).mean(axis=0)


def test_bev_panel_puts_forward_up_and_right_right():
    panel = draw_bev(200, 20, boxes(10, 10, "car"))
    row, column = near(panel, CLASS_COLOURS["car"])
    np.testing.assert_allclose([row, column], [50, 150], atol=6)


def test_bev_panel_with_an_ego_frame():
    panel = draw_bev(200, 20, boxes(10, 10, "car"), forward=(1.0, 0.0))
    row, column = near(panel, CLASS_COLOURS["car"])
    np.testing.assert_allclose([row, column], [50, 50], atol=6)


def test_truth_is_outlined_in_white():
    panel = draw_bev(200, 20, None, boxes(-10, -10, "car"))
    assert (np.abs(panel[140:160, 40:60].astype(int) - TRUTH).max(axis=2) < 40).any()


def below_the_title(picture: np.ndarray) -> np.ndarray:
    return picture[len(title_strip(picture.shape[1], "", {}, CLASS_COLOURS)) :]


def test_frame_of_any_set_of_cameras():
    images = {name: np.full((90, 160, 3), 90, np.uint8) for name in CAMERAS}
    projections = {name: np.eye(4) for name in CAMERAS}
    points = np.random.default_rng(0).uniform(-20, 20, (500, 3))
    picture = draw_frame(
        images, projections, boxes(3, 3, "bus"), boxes(3, 3, "bus"), points, title="x", camera_width=161
    )
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[0] % 2 == 0
    assert picture.shape[1] % 2 == 0


def test_a_whole_row_of_fewer_cameras_is_as_wide_as_the_others():
    """Waymo's two side cameras below the three in front: grey images, and nothing but gaps around them."""
    heights = {"FRONT": 60, "FRONT_LEFT": 60, "FRONT_RIGHT": 60, "SIDE_LEFT": 40, "SIDE_RIGHT": 40}
    images = {name: np.full((height, 90, 3), 90, np.uint8) for name, height in heights.items()}
    picture = draw_frame(images, dict.fromkeys(images, np.eye(4)), None, camera_width=180)
    grey = np.abs(below_the_title(picture).astype(int) - 90).max(axis=2) < 3
    assert grey[120 - 2].nonzero()[0].max() == 3 * 180 + 2 * 6 - 1
    lower = grey[120 + 6 + 119].nonzero()[0]  # 273 pixels wide, 121 high
    assert (lower.min(), lower.max(), len(lower)) == (0, 3 * 180 + 2 * 6 - 1, 3 * 180 + 6)


def test_rows_of_waymos_cameras():
    names = ["FRONT", "FRONT_LEFT", "FRONT_RIGHT", "SIDE_LEFT", "SIDE_RIGHT"]
    assert camera_rows(names) == [["FRONT_LEFT", "FRONT", "FRONT_RIGHT"], ["SIDE_LEFT", "SIDE_RIGHT"]]


@pytest.mark.parametrize("missing", [(), ("FRONT_LEFT",), ("SIDE_LEFT", "SIDE_RIGHT"), tuple(WAYMO_SIZES)])
def test_a_missing_camera_is_a_dark_cell_and_the_size_stays(missing: tuple[str, ...]) -> None:
    images = {name: np.full((*size, 3), 90, np.uint8) for name, size in WAYMO_SIZES.items() if name not in missing}
    projections = dict.fromkeys(images, np.eye(4))
    whole = {name: np.full((*size, 3), 90, np.uint8) for name, size in WAYMO_SIZES.items()}
    expected = draw_frame(whole, dict.fromkeys(whole, np.eye(4)), None, camera_width=180)
    picture = draw_frame(images, projections, None, camera_width=180, cameras=WAYMO_SIZES)
    assert picture.shape == expected.shape
    cells = below_the_title(picture)
    places = {"FRONT_LEFT": (60, 90), "SIDE_LEFT": (196, 140), "SIDE_RIGHT": (196, 420)}  # rows and columns of middles
    for name, place in places.items():
        assert tuple(cells[place]) == (PANEL if name in missing else (90, 90, 90))
    assert (cells[6:26, 8:100] > 200).any()  # the caption


def test_names_alone_give_a_missing_camera_the_size_of_another() -> None:
    images = {name: np.full((90, 160, 3), 90, np.uint8) for name in CAMERAS}
    projections = dict.fromkeys(images, np.eye(4))
    expected = draw_frame(images, projections, None)
    del images["CAM_FRONT"]
    assert draw_frame(images, projections, None, cameras=CAMERAS).shape == expected.shape
    assert draw_frame({}, {}, None, cameras=CAMERAS).shape == expected.shape


def test_an_image_of_other_proportions_is_fitted_into_its_cell() -> None:
    """Twice as high as its cell of 90 x 160, so half as wide: 80 columns."""
    tall = {"SIDE": np.full((180, 160, 3), 90, np.uint8)}
    picture = draw_frame(tall, {"SIDE": np.eye(4)}, None, camera_width=160, cameras={"SIDE": (90, 160)})
    cell = below_the_title(picture)[:90, :160]
    assert (cell[40:, :80] == 90).all() and (cell[40:, 80:] == BACKGROUND).all()
    usual = {"SIDE": np.full((90, 160, 3), 90, np.uint8)}
    assert picture.shape == draw_frame(usual, {"SIDE": np.eye(4)}, None, camera_width=160).shape
