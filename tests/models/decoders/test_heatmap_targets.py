from __future__ import annotations

import math

import torch

from bev.geometry.boxes import encode_boxes
from bev.geometry.grid import BEVGrid
from bev.models.assigners import SetTarget
from bev.models.decoders.heatmap_targets import absolute_codes, heatmap_targets, local_codes

GRID = BEVGrid((-8.0, -4.0, -3.0, 8.0, 4.0, 3.0), (4, 16))  # cells of 1 m along x, 2 m along y


def target_at(*places: tuple[float, float], labels: tuple[int, ...]) -> SetTarget:
    boxes = torch.tensor([[x, y, 0.5, 4.0, 2.0, 1.5, 0.3, 1.0, -1.0] for x, y in places]).view(-1, 9)
    return SetTarget(encode_boxes(boxes), torch.tensor(labels, dtype=torch.long))


def test_rectangular_grid_puts_x_on_columns_and_y_on_rows() -> None:
    targets = [target_at(labels=()), target_at((-7.75, 3.5), labels=(1,))]
    drawn = heatmap_targets(targets, GRID, num_classes=2, radius=0)
    assert drawn.heatmap.shape == (2, 2, 4, 16)
    assert drawn.heatmap.nonzero().tolist() == [[1, 1, 3, 0]]
    assert drawn.cells.tolist() == [(1 * 4 + 3) * 16]
    torch.testing.assert_close(drawn.codes[0, :2], torch.tensor([-0.25, 0.25]))
    torch.testing.assert_close(drawn.codes[0, 2:], targets[1].codes[0, 2:])


def test_cells_around_a_centre_learn_its_box() -> None:
    target = target_at((0.5, 1.0), (3.5, 1.0), labels=(0, 0))
    drawn = heatmap_targets([target], GRID, num_classes=1, radius=2)
    assert drawn.num_objects == 2
    owners = {
        cell % 16: code[:2] for cell, code in zip(drawn.cells.tolist(), drawn.codes, strict=True) if cell // 16 == 2
    }
    assert sorted(owners) == list(range(6, 14))
    torch.testing.assert_close(owners[9], torch.tensor([-1.0, 0.0]))  # nearer to the first centre, in column 8
    torch.testing.assert_close(owners[10], torch.tensor([1.0, 0.0]))  # nearer to the second, in column 11
    sigma = 5 / 6
    torch.testing.assert_close(drawn.weights.min(), torch.tensor(math.exp(-8 / (2 * sigma**2))))


def test_objects_off_the_grid_and_empty_batches() -> None:
    off_grid = heatmap_targets([target_at((8.0, 0.0), labels=(0,))], GRID, num_classes=1, radius=2)
    empty = heatmap_targets([target_at(labels=())], GRID, num_classes=1, radius=2)
    for drawn in (off_grid, empty):
        assert drawn.num_objects == len(drawn.cells) == 0
        assert not drawn.heatmap.any()


def test_local_codes_are_undone() -> None:
    codes, cells = torch.randn(2, 5, 10), torch.randint(0, 64, (2, 5))
    torch.testing.assert_close(absolute_codes(local_codes(codes, cells, GRID), cells, GRID), codes)
