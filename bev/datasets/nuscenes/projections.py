"""2D projections of annotated boxes: what perspective heads and mmdet3d's monocular detectors train on."""

from __future__ import annotations

import numpy as np
from shapely.geometry import MultiPoint, Polygon, box

from bev.datasets.nuscenes.classes import ATTRIBUTES
from bev.datasets.nuscenes.index_annotations import SampleAnnotations
from bev.geometry import pix_T_cam, project

_UNIT_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])


def project_annotations(
    annotations: SampleAnnotations, cam_T_global: np.ndarray, intrinsic: np.ndarray, image_size: tuple[int, int]
) -> list[dict]:
    """Boxes of one sample as one camera sees them.

    A box is listed if its centre lies in front of the camera and the hull of its corners in front touches the image.
    Categories that are not detected are left out.

    Args:
        annotations: the sample's objects.
        cam_T_global: (4, 4), into the camera's optical frame (x right, y down, z forward) at the camera's own time.
        intrinsic: (3, 3), pixels.
        image_size: width and height, pixels.

    Returns:
        One dict per box, as in mmdet3d's `cam_instances`: `bbox` (left, top, right, bottom, pixels, clipped to the
        image), `bbox_label`, `bbox_label_3d`, `bbox_3d_isvalid`, `bbox_3d` (x, y, z of the centre in the camera frame,
        length, height, width, yaw about the camera's y axis), `velocity` (along the camera's x and z, m/s, NaN where
        unknown), `center_2d` (pixels), `depth` (metres), `attr_label` (position in `ATTRIBUTES`, or its length for
        none); and `instance_index`, the position in the sample's `instances`.
    """
    cam_T_box = cam_T_global @ annotations.global_T_box
    corners = _UNIT_CORNERS * annotations.sizes[:, None, :]
    pixels, depths = project(pix_T_cam(intrinsic) @ cam_T_box, corners)
    centres = cam_T_box[:, :3, 3]
    centre_pixels, _ = project(pix_T_cam(intrinsic), centres)
    velocities = annotations.velocities @ cam_T_global[:3, :3].T

    records = []
    for i in np.flatnonzero((annotations.labels >= 0) & (centres[:, 2] > 0)):
        bounds = visible_bounds(pixels[i][depths[i] > 0], image_size)
        if bounds is not None:
            seen = {"bbox": bounds, "velocity": velocities[i, [0, 2]].tolist(), "center_2d": centre_pixels[i].tolist()}
            records.append(_camera_instance(annotations, int(i), cam_T_box[i]) | seen)
    return records


def _camera_instance(annotations: SampleAnnotations, index: int, cam_T_box: np.ndarray) -> dict:
    """What a camera's record of a box says, but for the box's image and velocity."""
    centre, heading = cam_T_box[:3, 3], cam_T_box[:3, 0]
    length, width, height = annotations.sizes[index].tolist()
    attribute = annotations.attributes[index]
    return {
        "bbox_label": int(annotations.labels[index]),
        "bbox_label_3d": int(annotations.labels[index]),
        "bbox_3d_isvalid": True,
        "bbox_3d": [*centre.tolist(), length, height, width, -float(np.arctan2(heading[2], heading[0]))],
        "depth": float(centre[2]),
        "attr_label": ATTRIBUTES.index(attribute) if attribute else len(ATTRIBUTES),
        "instance_index": index,
    }


def visible_bounds(corners: np.ndarray, image_size: tuple[int, int]) -> list[float] | None:
    """Bounds of the part of a convex hull that lies inside the image.

    Args:
        corners: (K, 2) projected corners, pixels; only those in front of the camera.
        image_size: width and height, pixels.

    Returns:
        Left, top, right, bottom, or None where hull and image share no area.
    """
    if len(corners) < 3:
        return None
    low, high = corners.min(axis=0), corners.max(axis=0)
    if (high < 0).any() or (low > image_size).any():
        return None
    if (low >= 0).all() and (high <= image_size).all():
        return [*low.tolist(), *high.tolist()]
    visible = MultiPoint(corners).convex_hull.intersection(box(0, 0, *image_size))
    return list(visible.bounds) if isinstance(visible, Polygon) and not visible.is_empty else None
