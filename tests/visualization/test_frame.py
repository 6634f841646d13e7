from __future__ import annotations

import numpy as np

from bev.visualization import BoxSet, draw_bev, draw_frame
from bev.visualization.frame import camera_rows
from bev.visualization.palette import CLASS_COLOURS, TRUTH

CAMERAS = ("CAM_FRONT", "CAM_FRONT_LEFT", "CAM_BACK", "SIDE")


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
    grey = (np.abs(picture.astype(int) - 90).max(axis=2) < 3)[34:]
    assert grey[120 - 2].nonzero()[0].max() == 3 * 180 + 2 * 6 - 1
    lower = grey[120 + 6 + 119].nonzero()[0]  # 273 pixels wide, 121 high
    assert (lower.min(), lower.max(), len(lower)) == (0, 3 * 180 + 2 * 6 - 1, 3 * 180 + 6)


def test_rows_of_waymos_cameras():
    names = ["FRONT", "FRONT_LEFT", "FRONT_RIGHT", "SIDE_LEFT", "SIDE_RIGHT"]
    assert camera_rows(names) == [["FRONT_LEFT", "FRONT", "FRONT_RIGHT"], ["SIDE_LEFT", "SIDE_RIGHT"]]
