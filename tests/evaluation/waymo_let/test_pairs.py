"""IoU, alignment and affinity against the official op, pair by pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import Polygon

from bev.evaluation.waymo_let.config import Alignment, LetConfig
from bev.evaluation.waymo_let.overlap import iou_matrix
from bev.evaluation.waymo_let.pairs import aligned_centres, heading_accuracy, longitudinal_affinity

GOLDEN = Path(__file__).parents[2] / "goldens" / "waymo_let" / "31_pairwise_iou_affinity.npz"


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    arrays = dict(np.load(GOLDEN))
    for side in ("pd", "gt"):
        boxes = arrays.pop(f"{side}_bottomz").astype(np.float64)
        boxes[:, 2] += boxes[:, 5] / 2
        arrays[side] = boxes
    return arrays


def pair_iou(centres: np.ndarray, golden: dict, planar: bool = False) -> np.ndarray:
    """IoU of row i with row i."""
    each = np.eye(len(golden["pd"]), dtype=bool)
    return np.diagonal(iou_matrix(golden["pd"], centres, golden["gt"], each, planar))


@pytest.mark.parametrize(("key", "planar"), [("iou3d_iou", False), ("iou_bev_iou", True)])
def test_iou(golden: dict, key: str, planar: bool) -> None:
    centres = np.repeat(golden["pd"][:, None, :3], len(golden["gt"]), axis=1)
    np.testing.assert_allclose(pair_iou(centres, golden, planar), golden[key], rtol=0, atol=1e-7)
    assert (golden[key] > 0).sum() > 100


@pytest.mark.parametrize("alignment", list(Alignment))
def test_alignment_and_affinity(golden: dict, alignment: Alignment) -> None:
    let = LetConfig(alignment=alignment)
    affinity = np.diagonal(longitudinal_affinity(golden["pd"], golden["gt"], let))
    iou = pair_iou(aligned_centres(golden["pd"], golden["gt"], let), golden)
    expected_iou, expected = golden[f"let{alignment.value}_iou"], golden[f"let{alignment.value}_la"]
    matched = expected_iou >= 0
    assert matched.sum() > 100
    np.testing.assert_allclose(iou[matched], expected_iou[matched], rtol=0, atol=1e-7)
    np.testing.assert_allclose(affinity[matched], expected[matched], rtol=0, atol=1e-7)
    assert (affinity[~matched] == 0).all()


def test_overlap_on_the_ground_against_shapely() -> None:
    rng = np.random.default_rng(0)
    boxes = np.concatenate([rng.uniform(-2, 2, (40, 3)), rng.uniform(0.5, 5, (40, 3)), rng.uniform(-9, 9, (40, 1))], 1)

    def polygon(box: np.ndarray) -> Polygon:
        corners = box[3:5] / 2 * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
        cosine, sine = np.cos(box[6]), np.sin(box[6])
        return Polygon(corners @ np.array([(cosine, sine), (-sine, cosine)]) + box[:2])

    first, second = boxes[:20], boxes[20:]
    centres = np.repeat(first[:, None, :3], len(second), axis=1)
    result = iou_matrix(first, centres, second, np.ones((20, 20), dtype=bool), planar=True)
    shared = np.array([[polygon(a).intersection(polygon(b)).area for b in second] for a in first])
    areas = (boxes[:, 3] * boxes[:, 4]).reshape(2, -1)
    np.testing.assert_allclose(result, shared / (areas[0][:, None] + areas[1] - shared), rtol=0, atol=1e-6)
    assert (shared > 0).mean() > 0.5


def test_pairs_that_are_not_wanted_are_zero() -> None:
    boxes = np.array([[0.0, 0, 0, 2, 2, 2, 0], [0.1, 0, 0, 2, 2, 2, 0]])
    wanted = np.array([[True, False], [False, True]])
    result = iou_matrix(boxes, np.repeat(boxes[:, None, :3], 2, axis=1), boxes, wanted)
    np.testing.assert_array_equal(result, np.eye(2, dtype=np.float32))


@pytest.mark.parametrize(
    ("found", "wanted", "expected"), [(0, 0, 1), (0, np.pi, 0), (0, np.pi / 2, 0.5), (-9.5, -9.5 + 4 * np.pi, 1)]
)
def test_heading_accuracy(found: float, wanted: float, expected: float) -> None:
    assert heading_accuracy(np.array([found]), np.array([wanted]))[0] == pytest.approx(expected, abs=1e-6)
