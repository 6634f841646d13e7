"""IoU, alignment and affinity against the official op, pair by pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bev.evaluation.waymo_let.config import Alignment, LetConfig
from bev.evaluation.waymo_let.pairs import aligned_centres, heading_accuracy, longitudinal_affinity
from bev.geometry.overlap import iou_matrix

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


@pytest.mark.parametrize(
    ("found", "wanted", "expected"), [(0, 0, 1), (0, np.pi, 0), (0, np.pi / 2, 0.5), (-9.5, -9.5 + 4 * np.pi, 1)]
)
def test_heading_accuracy(found: float, wanted: float, expected: float) -> None:
    assert heading_accuracy(np.array([found]), np.array([wanted]))[0] == pytest.approx(expected, abs=1e-6)
