from __future__ import annotations

import pytest

from bev.datasets.waymo.classes import CLASSES, type_labels


def test_labels_of_types() -> None:
    assert type_labels(CLASSES).tolist() == [-1, 0, 1, -1, 2]
    assert type_labels(("bicycle", "car"), {"vehicle": "car", "cyclist": "bicycle"}).tolist() == [-1, 1, -1, -1, 0]


def test_unusable_mappings() -> None:
    with pytest.raises(ValueError, match="no class truck"):
        type_labels(CLASSES, {"truck": "vehicle"})
    with pytest.raises(ValueError, match="none of Waymo's"):
        type_labels(("bus",))
