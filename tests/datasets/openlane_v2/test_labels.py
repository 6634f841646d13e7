from __future__ import annotations

import numpy as np
import pytest

from bev.datasets.openlane_v2.classes import ATTRIBUTES
from bev.datasets.openlane_v2.labels import LaneLabels
from bev.geometry import image_affine, rotation_z

BOXES = [[10, 20, 16, 32], [40, 24, 48, 33]]


@pytest.fixture
def labels() -> LaneLabels:
    """Two lanes of three points; a red light that governs the first, a sign to turn left that governs the second."""
    return LaneLabels(
        lanes=np.array([[[0, 0, 0], [5, 0, 0.5], [10, 0, 1]], [[10, 0, 1], [14, 2, 1], [18, 6, 1]]], np.float32),
        traffic_boxes=np.array(BOXES, np.float32),
        traffic_attributes=np.array([1, 5]),
        topology_lclc=np.array([[False, True], [False, False]]),
        topology_lcte=np.array([[True, False], [False, True]]),
        camera="FRONT",
    )


def test_lanes_turn_and_keep_their_direction(labels: LaneLabels) -> None:
    turned = labels.transformed(rotation_z(np.pi / 2))
    np.testing.assert_allclose(turned.lanes[1], [[0, 10, 1], [-2, 14, 1], [-6, 18, 1]], atol=1e-6)
    assert turned.lanes.dtype == np.float32
    mirrored = labels.transformed(np.diag([1.0, -1.0, 1.0, 1.0]))
    np.testing.assert_array_equal(mirrored.lanes[1], [[10, 0, 1], [14, -2, 1], [18, -6, 1]])
    np.testing.assert_array_equal(mirrored.topology_lclc, labels.topology_lclc)


def test_boxes_follow_a_resize_and_a_crop(labels: LaneLabels) -> None:
    moved = labels.in_image(image_affine(scale=(2, 0.5), crop=(24, 5)), (100, 200))
    np.testing.assert_array_equal(moved.traffic_boxes, [[0, 5, 8, 11], [56, 7, 72, 11.5]])
    np.testing.assert_array_equal(moved.topology_lcte, labels.topology_lcte)


def test_boxes_outside_go_with_their_relations(labels: LaneLabels) -> None:
    moved = labels.in_image(image_affine(crop=(20, 0)), (100, 100))
    np.testing.assert_array_equal(moved.traffic_boxes, [[20, 24, 28, 33]])
    assert moved.traffic_attributes.tolist() == [5]
    np.testing.assert_array_equal(moved.topology_lcte, [[False], [True]])
    nothing = labels.in_image(np.eye(4), (0, 0))
    assert nothing.traffic_boxes.shape == (0, 4) and nothing.topology_lcte.shape == (2, 0)


def test_a_mirrored_sign_points_the_other_way(labels: LaneLabels) -> None:
    mirrored = labels.in_image(image_affine(flip_width=64), (48, 64))
    np.testing.assert_array_equal(mirrored.traffic_boxes, [[48, 20, 54, 32], [16, 24, 24, 33]])
    assert [ATTRIBUTES[a] for a in mirrored.traffic_attributes] == ["red", "turn_right"]
    again = mirrored.in_image(image_affine(flip_width=64), (48, 64))
    np.testing.assert_array_equal(again.traffic_boxes, BOXES)
    np.testing.assert_array_equal(again.traffic_attributes, labels.traffic_attributes)
