"""What a live model reports about one moment.

Shapes: M boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from mmdet3d.structures import Det3DDataSample

from bev.geometry import transform_boxes
from bev.geometry.boxes import inverse_transform_boxes
from bev.geometry.poses import invert_pose
from bev.structures.boxes import gravity_array


@dataclass(frozen=True)
class Detections:
    """Objects at one moment, best first.

    Boxes are (M, 9): x, y, z of the centre, length, width, height (metres), yaw (radians, counter-clockwise from x),
    and velocity along x and y (metres per second).

    Attributes:
        timestamp: Seconds.
        names: M class names.
        labels: (M,) int64.
        scores: (M,) in [0, 1].
        boxes_bev: In the model's bev frame.
        boxes_ego: In the vehicle's frame.
        boxes_global: In the global frame.
        track_ids: (M,) int64 from a tracker; None without one.
        valid: False where the model saw nothing, since no camera delivered an image.
        sample: All that the model's heads predicted, in its bev frame, as in offline evaluation: `pred_instances_3d`
            before any threshold, and `pred_occupancy` and `pred_lanes` of models with such heads. None where nothing
            was seen.
    """

    timestamp: float
    names: list[str]
    labels: np.ndarray
    scores: np.ndarray
    boxes_bev: np.ndarray
    boxes_ego: np.ndarray
    boxes_global: np.ndarray
    track_ids: np.ndarray | None = None
    valid: bool = True
    sample: Det3DDataSample | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def velocities(self) -> np.ndarray:
        """(M, 2) in the global frame, metres per second."""
        return self.boxes_global[:, 7:9]

    @classmethod
    def from_sample(
        cls,
        sample: Det3DDataSample,
        classes: Sequence[str],
        global_T_bev: np.ndarray,
        global_T_ego: np.ndarray,
        timestamp: float,
    ) -> Detections:
        """From what heads predict in the bev frame, a detection head's `pred_instances_3d` among it."""
        instances = sample.pred_instances_3d
        gravity = gravity_array(instances.bboxes_3d)
        labels = instances.labels_3d.cpu().numpy()
        # Boxes stand upright on the vehicle's ground as in a submission, not on the tilted bev frame's.
        world = inverse_transform_boxes(gravity, invert_pose(global_T_bev))
        return cls(
            timestamp=timestamp,
            names=[classes[label] for label in labels],
            labels=labels,
            scores=instances.scores_3d.cpu().double().numpy(),
            boxes_bev=gravity,
            boxes_ego=transform_boxes(world, invert_pose(global_T_ego)),
            boxes_global=world,
            sample=sample,
        )

    @classmethod
    def nothing(cls, timestamp: float) -> Detections:
        """Of a moment without images."""
        boxes = np.zeros((0, 9))
        return cls(timestamp, [], np.zeros(0, np.int64), np.zeros(0), boxes, boxes, boxes, valid=False)

    def with_tracks(self, track_ids: np.ndarray) -> Detections:
        """The same, with identities."""
        return replace(self, track_ids=track_ids)

    def above(self, score: float) -> Detections:
        """Those that score at least `score`."""
        keep = np.flatnonzero(self.scores >= score)
        parts = {name: getattr(self, name)[keep] for name in ("labels", "scores")}
        parts |= {name: getattr(self, name)[keep] for name in ("boxes_bev", "boxes_ego", "boxes_global")}
        ids = None if self.track_ids is None else self.track_ids[keep]
        return replace(self, names=[self.names[index] for index in keep], track_ids=ids, **parts)

    def as_json(self) -> dict[str, Any]:
        """Plain numbers for a JSON file: one entry per object."""
        objects = []
        for index, name in enumerate(self.names):
            entry: dict[str, Any] = {"name": name, "score": round(float(self.scores[index]), 6)}
            if self.track_ids is not None:
                entry["track_id"] = int(self.track_ids[index])
            for frame, boxes in (("ego", self.boxes_ego), ("global", self.boxes_global)):
                entry[f"box_{frame}"] = [round(float(value), 4) for value in boxes[index]]
            objects.append(entry)
        return {"timestamp": self.timestamp, "valid": self.valid, "objects": objects}
