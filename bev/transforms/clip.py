"""The dictionary that the pipeline's transforms pass on: one sample with the frames and cameras around it.

A dataset creates it and `PackClip` ends it:

    sample_token, scene_token: str
    timestamp: float, seconds (absolute)
    global_T_bev: (4, 4) float64, pose of the current sample's bev frame
    camera_names: list of str, the slots of the camera axis; a frame may lack some of them
    current: int, index of the current frame in `frames`
    lidar_path: str or None
    dataset: str, where several data sets are mixed: which one it comes from
    on_error: 'raise' or 'skip-frame', what to do about an unreadable image
    bev_augmentation: (4, 4) float64, `aug_T_bev` that is left to the model
    gt_boxes: LiDARInstance3DBoxes (M boxes, 9 numbers), gt_labels: (M,) int64, in the augmented bev frame
    gt_fields: name to (M,) array, what else is known about these boxes: attributes, speeds, num_points
    frames: list of {time: seconds relative to the current frame, valid: bool, token, cameras: {name: camera},
        global_T_bev: (4, 4) float64, pose of the frame's own bev frame, can_bus: (18,) float64 (bev.geometry.can_bus)}

A camera holds `path`, `token`, `height` and `width` in pixels, `pix_T_bev` (4, 4) float64 into the image as it is now,
`file_pix_T_bev` into the image file, where the image is a part of that file its `part` (`image_files.FilePart`), where
the lens does what no pinhole would its `lens` (`undistort.Lens`), and, once loaded, `image` (height, width, 3) BGR and
`decode_scale`, the factor by which decoding has shrunk it. A padded image is larger than `height` and `width`.

Random transforms draw from Python's global generator, which is seeded in every loader process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Clip = dict[str, Any]
Camera = dict[str, Any]


def cameras_of(clip: Clip) -> Iterator[Camera]:
    """All cameras of the clip's valid frames."""
    for frame in clip["frames"]:
        if frame["valid"]:
            yield from frame["cameras"].values()
