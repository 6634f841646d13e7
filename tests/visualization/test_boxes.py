from __future__ import annotations

import numpy as np

from bev.visualization.boxes import BoxSet, box_corners, draw_boxes_on_image

PINHOLE = np.array([[100.0, 0, 80, 0], [0, 100, 60, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def test_corners_of_a_turned_box():
    corners = box_corners(np.array([[1.0, 2, 3, 4, 2, 6, np.pi / 2]]))[0]
    np.testing.assert_allclose(corners.mean(0), [1, 2, 3], atol=1e-12)
    np.testing.assert_allclose(np.ptp(corners, axis=0), [2, 4, 6], atol=1e-12)
    np.testing.assert_allclose(corners[[0, 1]].mean(0), [1, 4, 0], atol=1e-12)  # the front looks along +y


def test_a_box_is_drawn_where_it_projects():
    image = np.zeros((120, 160, 3), np.uint8)
    box = BoxSet(np.array([[0.0, 0, 10, 2, 2, 2, 0]]), ["car"])
    drawn = draw_boxes_on_image(image, box, PINHOLE)
    rows, columns = np.nonzero(drawn.any(axis=2))
    # The near face is 2 m wide at 9 m: 100 * 1 / 9 pixels to each side.
    assert abs(columns.min() - (80 - 100 / 9)) <= 2
    assert abs(columns.max() - (80 + 100 / 9)) <= 2
    assert abs(rows.min() - (60 - 100 / 9)) <= 2
    assert not image.any()


def test_boxes_behind_or_around_the_camera():
    image = np.zeros((120, 160, 3), np.uint8)
    behind = BoxSet(np.array([[0.0, 0, -10, 2, 2, 2, 0]]), ["car"])
    assert not draw_boxes_on_image(image, behind, PINHOLE).any()
    around = BoxSet(np.array([[0.0, 1.0, 0, 4, 1.0, 8, 0]]), ["car"])
    assert draw_boxes_on_image(image, around, PINHOLE).any()


def test_score_threshold():
    boxes = BoxSet(np.zeros((2, 7)), ["car", "bus"], np.array([0.1, 0.6]))
    assert boxes.above(0.5).names == ["bus"]


def test_truth_has_no_scores_to_be_left_out_by() -> None:
    truth = BoxSet(np.zeros((2, 7)), ["car", "bus"])
    assert truth.above(0.9) is truth
