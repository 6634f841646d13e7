from __future__ import annotations

import numpy as np
import pytest
from mmdet3d.datasets.convert_utils import nus_attributes
from nuscenes.eval.detection.constants import ATTRIBUTE_NAMES, DETECTION_NAMES
from nuscenes.eval.detection.utils import category_to_detection_name, detection_name_to_rel_attributes

from bev.datasets.nuscenes.classes import (
    ATTRIBUTES,
    CATEGORY_TO_CLASS,
    CLASSES,
    INDEX_CLASSES,
    camera_order,
    default_attribute,
    label_mapping,
)


def test_names_are_the_devkits():
    assert sorted(DETECTION_NAMES) == list(CLASSES)
    assert sorted(INDEX_CLASSES) == list(CLASSES)
    assert sorted(ATTRIBUTES) == sorted(ATTRIBUTE_NAMES)
    assert nus_attributes == (*ATTRIBUTES, "None")
    assert {name: category_to_detection_name(name) for name in CATEGORY_TO_CLASS} == CATEGORY_TO_CLASS
    assert category_to_detection_name("human.pedestrian.stroller") is None


def test_cameras_of_nuscenes_come_first_and_in_their_order():
    names = ["CAM_TOP", "CAM_BACK", "CAM_FRONT_LEFT", "CAM_FRONT", "CAM_ABOVE"]
    assert camera_order(names) == ["CAM_FRONT", "CAM_FRONT_LEFT", "CAM_BACK", "CAM_ABOVE", "CAM_TOP"]


def test_label_mapping_goes_by_name():
    mapping = label_mapping({"categories": {"car": 0, "barrier": 1, "dog": -1}})
    assert mapping.tolist() == [CLASSES.index("car"), CLASSES.index("barrier"), -1]
    assert mapping[-1] == -1
    np.testing.assert_array_equal(label_mapping({"categories": {"car": 0, "bus": 1}}, ("bus",)), [-1, 0, -1])
    called = label_mapping({"categories": {"car": 0, "bus": 1, "barrier": 2}}, ("vehicle",), {"car": "vehicle"})
    np.testing.assert_array_equal(called, [0, -1, -1, -1])


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("speed", [0.0, 3.0])
def test_default_attribute_fits_its_class(name: str, speed: float):
    assert default_attribute(name, speed) in (detection_name_to_rel_attributes(name) or [""])


def test_default_attribute_follows_speed():
    assert default_attribute("car", 5.0) == "vehicle.moving"
    assert default_attribute("car", 0.1) == "vehicle.parked"
    assert default_attribute("bus", 0.1) == "vehicle.stopped"
    assert default_attribute("pedestrian", 1.0) == "pedestrian.moving"
