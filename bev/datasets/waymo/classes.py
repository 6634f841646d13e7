"""Names of Waymo's cameras and classes, and the numbers that the messages use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bev.errors import InputError

CAMERAS = ("FRONT", "FRONT_LEFT", "FRONT_RIGHT", "SIDE_LEFT", "SIDE_RIGHT")
"""Camera n + 1 of `CameraName`. There is none behind."""

TYPES = {"vehicle": 1, "pedestrian": 2, "sign": 3, "cyclist": 4}
"""Numbers of `Label.Type`."""

CLASSES = ("vehicle", "pedestrian", "cyclist")
"""What the camera-only challenge ranks by, in the order of our labels."""


def type_labels(classes: Sequence[str], class_mapping: Mapping[str, str] | None = None) -> np.ndarray:
    """Table from types to labels.

    Args:
        classes: Names whose positions are the labels.
        class_mapping: What a model calls Waymo's classes, {"vehicle": "car"}; others keep their names.

    Returns:
        (5,) int64, label by type, -1 for what isn't wanted.

    Raises:
        InputError: The mapping has a class that Waymo has not, or a class gets no type at all.
    """
    names = dict(zip(TYPES, TYPES, strict=True)) | dict(class_mapping or {})
    unknown = set(names) - set(TYPES)
    if unknown:
        raise InputError(f"class_mapping: Waymo has no class {', '.join(sorted(unknown))}; it has {', '.join(TYPES)}")
    table = np.full(max(TYPES.values()) + 1, -1, dtype=np.int64)
    for name, number in TYPES.items():
        if names[name] in classes:
            table[number] = list(classes).index(names[name])
    if (table < 0).all():
        raise InputError(f"classes {tuple(classes)}: none of Waymo's ({', '.join(names.values())}) is among them")
    return table
