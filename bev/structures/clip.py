"""The dictionary that the pipeline's transforms pass on: one sample with the frames and cameras around it.

A dataset creates it and `PackClip` ends it:

    sample_token, scene_token: str
    timestamp: float, seconds (absolute)
    global_T_bev: (4, 4) float64, pose of the current sample's bev frame
    camera_names: list of str, the slots of the camera axis; a frame may lack some of them
    current: int, index of the current frame in `frames`
    lidar_path: str or None
    dataset: str, which data set it comes from
    on_error: 'raise' or 'skip-frame', what to do about an unreadable image
    bev_augmentation: (4, 4) float64, `aug_T_bev` that is left to the model
    aug_T_bev: (4, 4) float64, all that augmentations did to the bev frame; missing where they did nothing
    gt_boxes: LiDARInstance3DBoxes (M boxes, 9 numbers), gt_labels: (M,) int64, in the augmented bev frame
    gt_fields: name to (M,) array, what else is known about these boxes: attributes, speeds, num_points, in_range (bool)
    occupancy_path: file of the occupancy labels, or None; gt_occupancy: OccupancyLabels, once loaded
    gt_lanes: LaneLabels, lanes in the augmented bev frame, traffic elements in the current front image as it is now
    frames: list of {time: seconds relative to the current frame, valid: bool, token, cameras: {name: camera},
        global_T_bev: (4, 4) float64, pose of the frame's own bev frame, can_bus: (18,) float64 (bev.geometry.can_bus)}

A camera holds `path`, `token`, `height` and `width` in pixels, `pix_T_bev` (4, 4) float64 into the image as it is now,
`file_pix_T_bev` into the image file, where the image is a part of that file its `part` (`FilePart` or
`ParquetCell` of `bev.datasets`), where the lens does what no pinhole would its `lens` (`bev.geometry.Lens`), and, once
loaded, `image` (height, width, 3) BGR and `decode_scale`, the factor by which decoding has shrunk it. A padded image is
larger than `height` and `width`.

A data set gives the ground truth that it has; transforms leave alone what is not there.

Random transforms draw from Python's global generator, which is seeded in every loader process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Clip = dict[str, Any]
Camera = dict[str, Any]


def cameras_of(clip: Clip) -> Iterator[Camera]:
    """All cameras of the clip's valid frames."""
    for frame in clip["frames"]:
        if frame["valid"]:
            yield from frame["cameras"].values()


def replace_image(
    clip: Clip,
    index: int,
    name: str,
    image: np.ndarray,
    new_T_pix: np.ndarray,
    size: tuple[int, int] | None = None,
) -> None:
    """Give a camera another image, and move its projection and what is annotated in its pixels along.

    Args:
        clip: The clip.
        index: Number of the frame.
        name: The camera.
        image: (h, w, 3).
        new_T_pix: (4, 4), from the pixels of the image before to those of this one, as `image_affine` gives it.
        size: Height and width without padding; None where there is none.
    """
    camera, labels = clip["frames"][index]["cameras"][name], clip.get("gt_lanes")
    height, width = image.shape[:2] if size is None else size
    camera.update(image=image, height=height, width=width, pix_T_bev=new_T_pix @ camera["pix_T_bev"])
    if labels is not None and index == clip["current"] and name == labels.camera:
        clip["gt_lanes"] = labels.in_image(new_T_pix, (height, width))
