from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bev.geometry.curves import CurveCode
from bev.geometry.grid import BEVGrid
from bev.models.assigners import SetTarget
from bev.models.decoders import CurveQueries, DETRDecoder, LearnedQueries, Queries
from bev.models.decoders.curve_queries import UNIT, curve_targets
from bev.models.losses import PRIOR_LOGIT
from bev.structures import BEVFeatures

GRID = BEVGrid((-8.0, -6.0, -3.0, 8.0, 6.0, 3.0), (6, 8))  # cells of 2 m
CODE = {"kind": "points", "num_control": 3}
NORTH, EAST = 1, 0  # of four headings


def curve(*points: tuple[float, float, float]) -> Tensor:
    return torch.tensor(points, dtype=torch.float32).flatten()


def small_queries(num_queries: int = 2, **options: int) -> CurveQueries:
    torch.manual_seed(0)
    return CurveQueries(8, num_queries, CODE, num_headings=4, dilations=(1,), **options)


def queries_with_map(module: CurveQueries, logits: Tensor, codes: Tensor) -> Queries:
    """Queries whose dense head says `logits` (B, K, H, W) and `codes` (B, K, D, H, W) in metres."""
    module.heatmap_branch.forward = lambda bev_map: logits
    module.passed_branch.forward = lambda bev_map: passed_map(logits)
    module.curve_branch.forward = lambda bev_map: codes.flatten(1, 2) / UNIT
    return module(BEVFeatures(torch.randn(len(logits), 8, 6, 8), GRID))


def passed_map(logits: Tensor) -> Tensor:
    """Logits of the cells that the lanes of `one_peak_per_heading` pass, as sure as the highest of `logits`."""
    passed = torch.full_like(logits, -float(logits.max()))
    for column in (1, 2, 3):
        passed[0, EAST, 4, column] = logits.max()
    for row in (4, 5):
        passed[0, NORTH, row, 2] = logits.max()
    return passed


def one_peak_per_heading() -> tuple[Tensor, Tensor]:
    """Two lanes with their middle in the cell of column 2, row 4, at (-3, 3): eastwards, and a surer one northwards."""
    logits, codes = torch.full((1, 4, 6, 8), -5.0), torch.zeros(1, 4, 9, 6, 8)
    logits[0, EAST, 4, 2], logits[0, NORTH, 4, 2] = 1.0, 2.0
    codes[0, EAST, :, 4, 2] = curve((-2, 0, 0), (0, 0.5, 0), (2, 0, 1))
    codes[0, NORTH, :, 4, 2] = curve((0, -1, 0), (0, 0, 0), (0, 2, 0))
    return logits, codes


def test_lanes_that_cross_become_queries_of_their_own() -> None:
    queries = queries_with_map(small_queries(), *one_peak_per_heading())
    found = GRID.denormalise(queries.reference[0].unflatten(-1, (3, 3)))
    north = torch.tensor([[-3.0, 2, 0], [-3, 3, 0], [-3, 5, 0]])
    east = torch.tensor([[-5, 3, 0], [-3, 3.5, 0], [-1, 3, 1]])
    torch.testing.assert_close(found, torch.stack([north, east]))
    torch.testing.assert_close(queries.class_prior[0, :, 0] + PRIOR_LOGIT, torch.tensor([2.0, 1.0]))
    assert not queries.reference.requires_grad
    assert not queries.class_prior.requires_grad


def test_references_stay_inside_the_grid() -> None:
    logits, codes = one_peak_per_heading()
    queries = queries_with_map(small_queries(), logits, 100 * codes)
    assert queries.reference.min() == pytest.approx(0.005)
    assert queries.reference.max() == pytest.approx(0.995)


def test_a_perfect_map_has_no_loss() -> None:
    module = small_queries(gaussian_radius=0)
    logits, codes = one_peak_per_heading()
    logits = torch.where(logits > 0, 30.0, -30.0)
    queries = queries_with_map(module, logits, codes)
    lanes = torch.stack([curve((-5, 3, 0), (-3, 3.5, 0), (-1, 3, 1)), curve((-3, 2, 0), (-3, 3, 0), (-3, 5, 0))])
    losses = module.loss(queries, [SetTarget(lanes, torch.zeros(2, dtype=torch.long))])
    assert max(losses.values()) < 1e-6
    # One number in nine is wrong by 3 m, in one lane of two.
    codes[0, EAST, 3, 4, 2] += 3
    losses = module.loss(queries_with_map(module, logits, codes), [SetTarget(lanes, torch.zeros(2).long())])
    assert float(losses["loss_proposal"]) == pytest.approx(3 / 9 / 2)


def test_targets_by_hand() -> None:
    lanes = torch.stack([curve((-4, 1, 0), (0, 1, 0), (2, 1, 0)), curve((1, 5, 0), (1, 0, 0), (1, -5, 0))])
    empty = SetTarget(torch.zeros(0, 9), torch.zeros(0, dtype=torch.long))
    targets = [empty, SetTarget(lanes, torch.zeros(2).long())]
    found = curve_targets(targets, CurveCode(**CODE), GRID, num_headings=4, radius=1)
    assert found.heatmap.shape == (2, 4, 6, 8)
    # The middle between the ends counts, not the one on the curve: (-1, 1) and (1, 0).
    assert (found.heatmap == 1).nonzero().tolist() == [[1, 0, 3, 3], [1, 3, 3, 4]]
    assert len(found.cells) == 18
    best = (found.weights == 1).nonzero().flatten()
    flat = found.cells[best].tolist()
    assert sorted(flat) == [((4 + 0) * 6 + 3) * 8 + 3, ((4 + 3) * 6 + 3) * 8 + 4]
    # That cell's centre is (-1, 1).
    east = found.codes[best[flat.index(min(flat))]]
    torch.testing.assert_close(east, curve((-3, 0, 0), (1, 0, 0), (3, 0, 0)))


def test_cells_passed_by_hand() -> None:
    # Eastwards and then northwards, out of the map in the end.
    lane = curve((-7, -5, 0), (1, -5, 0), (1, 8.3, 0))[None]
    target = SetTarget(lane, torch.zeros(1, dtype=torch.long))
    passed = curve_targets([target], CurveCode(**CODE), GRID, num_headings=4, radius=1).passed
    assert passed[0, EAST].nonzero().tolist() == [[0, 0], [0, 1], [0, 2], [0, 3], [0, 4]]
    assert passed[0, NORTH].nonzero().tolist() == [[row, 4] for row in range(6)]
    assert passed.sum() == 11


def test_proposals_begin_as_straight_lanes() -> None:
    module = small_queries(num_queries=1)
    torch.nn.init.zeros_(module.curve_branch[-1].weight)
    queries = module(BEVFeatures(torch.zeros(1, 8, 6, 8), GRID))
    codes = queries.dense.codes[0, NORTH, :, 0, 0].unflatten(-1, (3, 3))
    torch.testing.assert_close(codes, torch.tensor([[0.0, -UNIT, 0], [0, 0, 0], [0, UNIT, 0]]), atol=1e-5, rtol=0)


def test_no_lanes_at_all_are_learned_from() -> None:
    module = small_queries()
    queries = module(BEVFeatures(torch.randn(1, 8, 6, 8), GRID))
    losses = module.loss(queries, [SetTarget(torch.zeros(0, 9), torch.zeros(0, dtype=torch.long))])
    assert losses["loss_heatmap"] > 0
    assert losses["loss_proposal"] == 0
    sum(losses.values()).backward()


def test_bad_input_is_named() -> None:
    features = BEVFeatures(torch.randn(1, 8, 6, 8), GRID)
    with pytest.raises(ValueError, match=r"200 queries need as many .* 4 classes on a 6 x 8 map have 192"):
        small_queries(num_queries=200)(features)
    learned = LearnedQueries(8, 2)(features)
    with pytest.raises(ValueError, match="not made by CurveQueries"):
        small_queries().loss(learned, [])


def test_the_decoder_reads_along_the_reference() -> None:
    torch.manual_seed(0)
    queries = {"type": "LearnedQueries", "embed_dims": 16, "num_queries": 1}
    decoder = DETRDecoder(queries, 1, embed_dims=16, num_heads=2, num_points=3, feedforward_channels=8, dropout=0.0)
    torch.nn.init.zeros_(decoder.layers[0].cross_attention.sampling.sampling_offsets.bias)
    bev_map = torch.zeros(1, 16, 6, 8, requires_grad=True)
    control = torch.tensor([[-7.0, -5, 0], [1, 1, 0], [7, 5, 0]])
    given = Queries(torch.randn(1, 1, 16), torch.randn(1, 1, 16), GRID.normalise(control).flatten()[None, None], 1)
    states = decoder(given, BEVFeatures(bev_map, GRID), lambda _, states, reference: (states, reference))[0]
    (states * torch.randn(16)).sum().backward()
    read = bev_map.grad.abs().sum(1)[0]
    # Neighbours take what the rounding of the positions leaves.
    assert read.gt(1e-4 * read.max()).nonzero().tolist() == [[0, 0], [3, 4], [5, 7]]


def test_points_that_cannot_be_dealt_out_are_refused() -> None:
    queries = {"type": "LearnedQueries", "embed_dims": 16, "num_queries": 1}
    decoder = DETRDecoder(queries, 1, embed_dims=16, num_heads=2, num_points=4, feedforward_channels=8)
    given = Queries(torch.zeros(1, 1, 16), torch.zeros(1, 1, 16), torch.full((1, 1, 9), 0.5), 1)
    with pytest.raises(ValueError, match="num_points 4 is no multiple of the 3 places"):
        decoder(given, BEVFeatures(torch.zeros(1, 16, 6, 8), GRID), lambda _, states, reference: (states, reference))
