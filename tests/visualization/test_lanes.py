from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_openlane import write_openlane

import bev  # noqa: F401  (lets mmdet3d import)

# isort: split
from bev.datasets.openlane_v2.index_build import build_indexes
from bev.datasets.openlane_v2.labels import LaneLabels
from bev.errors import InputError
from bev.visualization.lanes import BOUNDS, direction_colours, draw_lanes, lane_panel
from bev.visualization.openlane import OpenLanePainter
from bev.visualization.palette import PANEL


def view(lanes: list, relations: list | None = None) -> LaneLabels:
    count = len(lanes)
    return LaneLabels(
        lanes=np.array(lanes, dtype=float).reshape(count, -1, 3),
        traffic_boxes=np.array([[10.0, 10, 20, 30]]),
        traffic_attributes=np.array([1]),
        topology_lclc=np.zeros((count, count), bool) if relations is None else np.array(relations, bool),
        topology_lcte=np.ones((count, 1), bool),
        camera="front",
    )


def test_opposite_directions_have_different_colours_and_equal_ones_the_same() -> None:
    east, west = [[0, 0, 0], [5, 0, 0]], [[5, 3, 0], [0, 3, 0]]
    one, same, other = direction_colours(np.array([east, east, west], dtype=float))
    assert one == same and np.abs(np.subtract(one, other)).max() > 100
    assert direction_colours(np.zeros((0, 2, 3))) == []


def test_lanes_are_drawn_where_they_are() -> None:
    """A lane at y = 10 lies in the upper half of the panel, along x."""
    panel = lane_panel(view([[[-40, 10, 0], [0, 10, 0], [40, 10, 0]]]), 520)
    row = round((BOUNDS[3] - 10) * 520 / (BOUNDS[2] - BOUNDS[0]))
    drawn = np.abs(panel.astype(int) - PANEL).max(axis=2) > 90
    assert panel.shape == (260, 520, 3)
    assert drawn[row, 100:420].all() and not drawn[260 - row - 8 : 260 - row + 8, 300:400].any()


def test_successions_are_arrows() -> None:
    lanes = [[[0, 10, 0], [20, 10, 0]], [[20, 10, 0], [40, 10, 0]]]
    without, with_arrow = (lane_panel(view(lanes, r), 520) for r in (None, [[0, 1], [0, 0]]))
    columns = np.flatnonzero((without != with_arrow)[40:].any(axis=(0, 2)))
    junction = (20 - BOUNDS[0]) * 520 / (BOUNDS[2] - BOUNDS[0])
    assert abs(columns.mean() - junction) < 10


def test_lines_lead_from_elements_to_the_lanes_that_they_govern() -> None:
    front = np.zeros((100, 200, 3), np.uint8)
    pix_T_ego = np.array([[100.0, -100, 0, 0], [50, 0, -100, 150], [1, 0, 0, 0], [0, 0, 0, 1]])
    governed = view([[[4, 0, 0], [8, 0, 0]]])
    free = replace(governed, topology_lcte=~governed.topology_lcte)
    one, other = (draw_lanes(front, pix_T_ego, {"truth": v}, width=200) for v in (governed, free))
    assert one.shape == other.shape and (one != other).any()


@pytest.mark.parametrize("split", ["train", "val"])
def test_frames_of_an_index(tmp_path: Path, split: str) -> None:
    build_indexes(write_openlane(tmp_path), "A")
    painter = OpenLanePainter(tmp_path / f"openlane_v2_A_infos_{split}.pkl", tmp_path)
    picture = painter.draw(0, 300)
    assert picture.dtype == np.uint8 and picture.shape[1] == 300 and picture.std() > 10


def test_a_frame_without_annotation_needs_predictions(tmp_path: Path) -> None:
    build_indexes(write_openlane(tmp_path, edit=lambda frame, _: frame.pop("annotation")), "A")
    painter = OpenLanePainter(tmp_path / "openlane_v2_A_infos_val.pkl", tmp_path)
    with pytest.raises(InputError, match=r"^frame .*: no annotation; give --results$"):
        painter.draw(0, 300)


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(InputError, match="neither a prediction nor a ground truth"):
        draw_lanes(np.zeros((100, 200, 3), np.uint8), np.eye(4), {})
