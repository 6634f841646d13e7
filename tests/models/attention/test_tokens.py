from __future__ import annotations

import torch

from bev.models.attention import FeatureTokens


def test_a_map_becomes_one_level_row_by_row() -> None:
    feature_map = torch.randn(2, 3, 4, 5)
    tokens = FeatureTokens.of_map(feature_map)
    assert tokens.shapes == [(4, 5)]
    assert tokens.batch_size == 2
    assert torch.equal(tokens.values[1, 2 * 5 + 3], feature_map[1, :, 2, 3])


def test_centres_of_cells_by_hand() -> None:
    tokens = FeatureTokens(torch.zeros(1, 5, 1), [(2, 2), (1, 1)])
    expected = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75], [0.5, 0.5]]
    assert tokens.cell_centres()[0].tolist() == expected


def test_places_on_padded_levels() -> None:
    # Half of the first level's width is padding: the middle of the image is at a quarter of the level.
    valid = torch.tensor([[[0.5, 1.0], [1.0, 1.0]]])
    tokens = FeatureTokens(torch.zeros(1, 5, 1), [(2, 2), (1, 1)], valid=valid)
    assert tokens.on_levels(torch.tensor([[[0.5, 0.5]]])).tolist() == [[[[0.25, 0.5], [0.5, 0.5]]]]
    assert tokens.cell_centres()[0, 0].tolist() == [0.5, 0.25]
