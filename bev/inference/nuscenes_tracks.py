"""Tracks in the format of nuScenes' tracking challenge, from detections in that of the detection challenge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bev.datasets.nuscenes.index_tables import chain
from bev.datasets.nuscenes.submission import boxes_of_records
from bev.datasets.submission_errors import refuse
from bev.inference.detections import Detections
from bev.inference.tracking import MATCH_DISTANCES, GreedyTracker

if TYPE_CHECKING:
    from nuscenes import NuScenes

TRACKING_CLASSES = tuple(MATCH_DISTANCES)


def track_results(
    results: Mapping[str, list[dict]],
    nusc: NuScenes,
    tracker: Callable[[], GreedyTracker] = GreedyTracker,
) -> dict[str, list[dict]]:
    """Gives the detections of whole scenes their identities.

    Args:
        results: Detection records of each sample token (`results` of a submission). Samples that a scene has and
            `results` lacks count as seen without objects.
        nusc: Opened tables; annotations are not read.
        tracker: Makes the tracker of each scene.

    Returns:
        Tracking records of the same samples.

    Raises:
        SubmissionError: A sample is not in the tables.
        TablesError: Samples follow each other without an end.
    """
    tracked: dict[str, list[dict]] = {}
    known = {sample["token"] for sample in nusc.sample}
    refuse(
        (f"sample {token}" for token in results if token not in known),
        f"the results are of samples that {nusc.version} doesn't have",
    )
    scenes = {nusc.get("sample", token)["scene_token"] for token in results}
    for scene in sorted(scenes):
        own = tracker()
        for sample in chain(nusc, "sample", nusc.get("scene", scene)["first_sample_token"]):
            token = sample["token"]
            if token in results:
                kept = [record for record in results[token] if record["detection_name"] in TRACKING_CLASSES]
                identities = own.update(_detections(kept, sample["timestamp"] / 1e6))
                tracked[token] = [
                    _tracking_record(record, f"{scene[:8]}_{identity}")
                    for record, identity in zip(kept, identities, strict=True)
                    if identity >= 0
                ]
    return tracked


def _tracking_record(record: Mapping, identity: str) -> dict:
    shared = ("sample_token", "translation", "size", "rotation", "velocity")
    return {
        **{key: record[key] for key in shared},
        "tracking_id": identity,
        "tracking_name": record["detection_name"],
        "tracking_score": record["detection_score"],
    }


def _detections(records: Sequence[Mapping], timestamp: float) -> Detections:
    """Records of one sample as the tracker takes them: in the global frame alone."""
    boxes = boxes_of_records(records)
    scores = np.array([record["detection_score"] for record in records], dtype=np.float64)
    names = [record["detection_name"] for record in records]
    labels = np.array([TRACKING_CLASSES.index(name) for name in names], dtype=np.int64)
    return Detections(timestamp, names, labels, scores, boxes, boxes, boxes)
