from __future__ import annotations

import pytest
import torch

from bev.geometry.boxes import encode_boxes
from bev.geometry.grid import BEVGrid
from bev.models.assigners import SetTarget
from bev.models.decoders import HeatmapQueries, Queries
from bev.models.decoders.heatmap_queries import DenseBoxes
from bev.models.losses import PRIOR_LOGIT
from bev.structures import BEVFeatures

GRID = BEVGrid((-8.0, -6.0, -3.0, 8.0, 6.0, 3.0), (6, 8))  # cells of 2 m


def queries_with_map(logits: torch.Tensor, num_queries: int = 3, num_groups: int = 1) -> tuple[HeatmapQueries, Queries]:
    """Queries whose dense head says `logits` (B, K, H, W), and a box 0.25 cells right of each cell's centre."""
    torch.manual_seed(0)
    module = HeatmapQueries(embed_dims=8, num_classes=logits.shape[1], num_queries=num_queries, num_groups=num_groups)
    code = torch.tensor([0.25, 0.0, 1.0, 0.5, -1.0, 0.2, 0.6, 0.8, 3.0, 4.0]).view(1, 10, 1, 1)
    module.heatmap_branch.forward = lambda bev_map: logits
    module.box_branch.forward = lambda bev_map: code.expand(len(bev_map), -1, *bev_map.shape[-2:])
    features = BEVFeatures(torch.randn(len(logits), 8, 6, 8), GRID)
    return module, module(features)


def two_peaks() -> torch.Tensor:
    logits = torch.full((1, 2, 6, 8), -5.0)
    logits[0, 1, 4, 2], logits[0, 1, 4, 3], logits[0, 0, 0, 7] = 3.0, 2.0, 1.0  # the second is beside the first
    return logits


def test_peaks_become_queries_in_order_of_score() -> None:
    queries = queries_with_map(two_peaks(), num_queries=2)[1]
    centres = GRID.denormalise(queries.reference[0])
    torch.testing.assert_close(centres, torch.tensor([[-2.5, 3.0, -1.0], [7.5, -5.0, -1.0]]))
    prior = queries.class_prior[0] + PRIOR_LOGIT
    torch.testing.assert_close(prior, torch.tensor([[PRIOR_LOGIT, 3.0], [1.0, PRIOR_LOGIT]]))
    expected = torch.tensor([0.0, 0.0, 1.0, 0.5, 0.0, 0.2, 0.6, 0.8, 3.0, 4.0])
    torch.testing.assert_close(queries.code_prior[0], expected.expand(2, -1))
    assert not any(tensor.requires_grad for tensor in (queries.reference, queries.class_prior, queries.code_prior))


def test_what_is_beside_a_peak_comes_later_but_before_noise() -> None:
    queries = queries_with_map(two_peaks(), num_queries=3)[1]
    centres = GRID.denormalise(queries.reference[0])
    torch.testing.assert_close(centres[2], torch.tensor([-0.5, 3.0, -1.0]))
    scores = queries.class_prior[0].amax(-1) + PRIOR_LOGIT
    torch.testing.assert_close(scores, torch.tensor([3.0, 1.0, 0.0]))


def test_content_is_the_feature_of_the_own_cell_and_class() -> None:
    module, queries = queries_with_map(two_peaks().repeat(2, 1, 1, 1), num_queries=2)
    torch.manual_seed(3)
    features = BEVFeatures(torch.randn(2, 8, 6, 8), GRID)
    queries = module(features)
    for sample in range(2):
        expected = module.content(features.map[sample, :, 4, 2]) + module.class_embedding.weight[1]
        torch.testing.assert_close(queries.content[sample, 0], expected)


def test_groups_start_from_the_same_peaks_moved_by_at_most_the_jitter() -> None:
    module, _ = queries_with_map(two_peaks(), num_queries=2, num_groups=3)
    features = BEVFeatures(torch.randn(1, 8, 6, 8), GRID)
    training, testing = module.train()(features), module.eval()(features)
    assert (training.num_groups, testing.num_groups) == (3, 1)
    groups = GRID.denormalise(training.reference[0]).view(3, 2, 3)
    torch.testing.assert_close(groups[0], GRID.denormalise(testing.reference[0]))
    moves = groups[1:] - groups[:1]
    assert 0 < moves[..., :2].abs().max() <= 1.0  # half a cell of 2 m
    assert moves[..., 2].abs().max() < 1e-5
    torch.testing.assert_close(training.content.view(3, 2, 8)[1], testing.content[0])


def test_a_perfect_map_has_no_loss_and_unknown_velocities_none_either() -> None:
    box = torch.tensor([[-2.5, 3.0, -1.0, 2.0, 1.5, 1.2, 0.4, float("nan"), 1.0]])
    target = SetTarget(encode_boxes(box), torch.tensor([1]))
    module = HeatmapQueries(embed_dims=8, num_classes=2, num_queries=2, gaussian_radius=0)
    logits = torch.full((1, 2, 6, 8), -30.0)
    logits[0, 1, 4, 2] = 30.0
    codes = torch.zeros(1, 10, 6, 8)
    codes[0, :, 4, 2] = target.codes[0]
    codes[0, :2, 4, 2] = torch.tensor([0.25, 0.0])
    codes[0, 8, 4, 2] = 7.0
    queries = Queries(codes, codes, codes, 1, dense=DenseBoxes(logits, codes, GRID))
    assert all(loss.item() < 1e-6 for loss in module.loss(queries, [target]).values())
    codes[0, 9, 4, 2] = 6.0  # 5 m/s off, weight 0.2 x 0.25
    assert module.loss(queries, [target])["loss_proposal"].item() == pytest.approx(0.25)


def test_every_parameter_of_the_dense_head_has_a_gradient_without_objects() -> None:
    module = HeatmapQueries(embed_dims=8, num_classes=2, num_queries=4)
    queries = module(BEVFeatures(torch.randn(1, 8, 6, 8), GRID))
    nothing = SetTarget(torch.zeros(0, 10), torch.zeros(0, dtype=torch.long))
    losses = module.loss(queries, [nothing])
    (sum(losses.values()) + queries.content.sum() + queries.position.sum()).backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
    assert losses["loss_proposal"].item() == 0


def test_more_queries_than_cells_is_one_clear_error() -> None:
    with pytest.raises(
        ValueError, match=r"97 queries need as many \(class, cell\) pairs, but 2 classes on a 6 x 8 map have 96"
    ):
        queries_with_map(torch.zeros(1, 2, 6, 8), num_queries=97)
