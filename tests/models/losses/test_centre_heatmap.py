"""Tests of centre heatmaps: targets against a slow loop, and the loss."""

from __future__ import annotations

import math

import torch

from bev.models.losses import CentrePatches, centre_patches, draw_heatmap, gaussian_focal_loss


def slow_heatmap(
    centres: torch.Tensor, maps: torch.Tensor, labels: torch.Tensor, shape: tuple[int, ...], radius: int
) -> torch.Tensor:
    heatmap = torch.zeros(shape)
    sigma = (2 * radius + 1) / 6
    for (x, y), index, label in zip(centres.tolist(), maps.tolist(), labels.tolist(), strict=True):
        column, row = math.floor(x), math.floor(y)
        if not (0 <= column < shape[3] and 0 <= row < shape[2]):
            continue
        for r in range(max(row - radius, 0), min(row + radius + 1, shape[2])):
            for c in range(max(column - radius, 0), min(column + radius + 1, shape[3])):
                value = math.exp(-((r - row) ** 2 + (c - column) ** 2) / (2 * sigma**2))
                heatmap[index, label, r, c] = max(heatmap[index, label, r, c].item(), value)
    return heatmap


def test_heatmap_equals_a_loop_over_cells() -> None:
    torch.manual_seed(0)
    centres = torch.rand(40, 2) * torch.tensor([11.0, 9.0]) - 1  # some are off the map of 9 x 7 cells
    maps, labels = torch.randint(0, 3, (40,)), torch.randint(0, 4, (40,))
    for radius in (0, 1, 2):
        patches = centre_patches(centres, maps, (7, 9), radius)
        expected = slow_heatmap(centres, maps, labels, (3, 4, 7, 9), radius)
        torch.testing.assert_close(draw_heatmap(patches, labels, 4, (3, 7, 9)), expected)


def test_no_object_gives_an_empty_heatmap() -> None:
    patches = centre_patches(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long), (3, 4), radius=2)
    assert not draw_heatmap(patches, torch.zeros(0, dtype=torch.long), 2, (1, 3, 4)).any()
    assert len(patches.owned(patches.weights).cells) == 0


def test_a_cell_belongs_to_the_object_of_lowest_rank() -> None:
    patches = CentrePatches(torch.tensor([0, 1, 2, 3]), torch.tensor([5, 2, 5, 5]), torch.tensor([0.1, 0.2, 0.3, 0.4]))
    owned = patches.owned(torch.tensor([3.0, 1.0, 2.0, 2.0]))
    assert owned.cells.tolist() == [2, 5]
    assert owned.objects.tolist() == [1, 2]
    torch.testing.assert_close(owned.weights, torch.tensor([0.2, 0.3]))


def test_loss_spares_neighbours_and_vanishes_for_a_perfect_map() -> None:
    heatmap = torch.tensor([1.0, 0.8, 0.0])
    wrong = gaussian_focal_loss(torch.tensor([-2.0, 2.0, 2.0]), heatmap)
    probability = torch.tensor(2.0).sigmoid()
    torch.testing.assert_close(wrong[0], -(probability**2) * (1 - probability).log())
    torch.testing.assert_close(wrong[2], -(probability**2) * (1 - probability).log())
    torch.testing.assert_close(wrong[1], wrong[2] * 0.2**4)
    assert gaussian_focal_loss(torch.tensor([30.0, -30.0, -30.0]), heatmap).max() < 1e-6
