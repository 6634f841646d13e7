from __future__ import annotations

import numpy as np

from bev.inference import Detections, GreedyTracker


def moment(time: float, objects: list[tuple[str, float, float, float, float, float]]) -> Detections:
    """Objects as (name, x, y, vx, vy, score)."""
    boxes = np.zeros((len(objects), 9))
    for row, (_, x, y, vx, vy, _) in zip(boxes, objects, strict=True):
        row[:2], row[7:] = (x, y), (vx, vy)
    scores = np.array([entry[-1] for entry in objects])
    names = [entry[0] for entry in objects]
    return Detections(time, names, np.zeros(len(objects), np.int64), scores, boxes, boxes, boxes)


def test_identities_follow_the_velocity() -> None:
    tracker = GreedyTracker()
    first = tracker.update(moment(0.0, [("car", 0, 0, 10, 0, 0.9), ("car", 5, 0, -10, 0, 0.8)]))
    assert first.tolist() == [0, 1]
    # They have passed each other: by distance alone the identities would be exchanged.
    second = tracker.update(moment(0.5, [("car", 5, 0.5, 10, 0, 0.9), ("car", 0, -0.5, -10, 0, 0.8)]))
    assert second.tolist() == [0, 1]


def test_classes_do_not_mix_and_others_get_no_identity() -> None:
    tracker = GreedyTracker()
    tracker.update(moment(0.0, [("car", 0, 0, 0, 0, 0.9)]))
    found = tracker.update(moment(0.5, [("truck", 0, 0, 0, 0, 0.9), ("traffic_cone", 0, 0, 0, 0, 0.9)]))
    assert found.tolist() == [1, -1]


def test_a_track_survives_a_short_absence_only() -> None:
    tracker = GreedyTracker(max_age=1.1)
    tracker.update(moment(0.0, [("pedestrian", 0, 0, 1, 0, 0.9)]))
    tracker.update(moment(0.5, []))
    assert tracker.update(moment(1.0, [("pedestrian", 1, 0, 1, 0, 0.9)])).tolist() == [0]
    assert tracker.update(moment(2.5, [("pedestrian", 2.5, 0, 1, 0, 0.9)])).tolist() == [1]


def test_identities_never_come_back_after_a_reset() -> None:
    tracker = GreedyTracker()
    tracker.update(moment(0.0, [("car", 0, 0, 0, 0, 0.9)]))
    tracker.reset()
    assert tracker.update(moment(0.5, [("car", 0, 0, 0, 0, 0.9)])).tolist() == [1]


def test_the_better_detection_chooses_first_and_weak_ones_are_left_out() -> None:
    tracker = GreedyTracker(min_score=0.2)
    tracker.update(moment(0.0, [("car", 0, 0, 0, 0, 0.9)]))
    found = tracker.update(
        moment(0.5, [("car", 0.1, 0, 0, 0, 0.3), ("car", 1, 0, 0, 0, 0.8), ("car", 0, 0, 0, 0, 0.1)])
    )
    assert found.tolist() == [1, 0, -1]
