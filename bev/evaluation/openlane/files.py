"""Annotations of an index and the predictions of a file, frame by frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bev.datasets.index_io import IndexFormatError, read_index, well_formed
from bev.datasets.openlane_v2.devkit_format import annotation_of
from bev.datasets.openlane_v2.submission import identifier_of, predictions_by_frame, read_submission
from bev.datasets.submission_errors import SubmissionError

Frames = dict[str, dict[str, Any]]


def read_frames(index: str | Path, predictions: str | Path) -> tuple[Frames, Frames]:
    """Every frame of an index in the devkit's format, and what was predicted for it; other predictions are left out.

    Args:
        index: Index of `tools/create_data.py openlane_v2` in the format of 2023.
        predictions: Predictions by token as `OpenLaneMetric` writes them, or a submission.

    Raises:
        IndexFormatError: It is no such index, or has frames without annotation or with one that is none.
        SubmissionError: The other file cannot be read, or lacks frames.
    """
    content = read_index(Path(index))
    metainfo, records = content["metainfo"], content["data_list"]
    if metainfo.get("dataset") != "openlane_v2" or metainfo.get("layout", "centerline") != "centerline":
        raise IndexFormatError(
            f"{index}: not an index of OpenLane-V2's centrelines; make it with tools/create_data.py openlane_v2"
        )
    with well_formed(str(index)):
        topologies = {record["token"]: record["lane_topology"] for record in records}
    bare = [token for token, topology in topologies.items() if topology is None]
    if bare:
        raise IndexFormatError(f"{index}: {len(bare)} frames have no annotation to judge by, such as {bare[0]}")
    found = predictions_by_frame(read_submission(predictions))
    missing = [token for token in topologies if identifier_of(token) not in found]
    if missing:
        raise SubmissionError(
            f"{predictions}: no prediction for {len(missing)} of {len(topologies)} frames of {index}, such as "
            f"{missing[0]}"
        )
    truths = {token: annotation_of(topology, f"{index}, frame {token}") for token, topology in topologies.items()}
    return truths, {token: found[identifier_of(token)] for token in truths}
