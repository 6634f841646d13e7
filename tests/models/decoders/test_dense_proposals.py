from __future__ import annotations

import pytest
import torch

from bev.models.decoders.dense_proposals import best_peaks, dense_branch


def test_a_branch_starts_nearly_constant() -> None:
    torch.manual_seed(0)
    branch = dense_branch(channels=12, outputs=3, bias=-4.6)
    output = branch(torch.randn(2, 12, 5, 7))
    assert output.shape == (2, 3, 5, 7)
    assert (output + 4.6).abs().max() < 0.2


def test_peaks_are_ordered_by_score_and_cells_beside_them_pay_the_penalty() -> None:
    logits = torch.full((2, 2, 4, 5), -9.0)
    logits[0, 1, 2, 3], logits[0, 1, 2, 4], logits[0, 0, 0, 0] = 3.0, 2.5, 1.0
    logits[1, 0, 3, 4] = 7.0
    scores, cells, labels = best_peaks(logits, count=3, neighbour_penalty=2.0)
    torch.testing.assert_close(scores[0], torch.tensor([3.0, 1.0, 0.5]))
    assert cells[0].tolist() == [13, 0, 14]
    assert labels[0].tolist() == [1, 0, 1]
    assert (scores[1, 0].item(), cells[1, 0].item(), labels[1, 0].item()) == (7.0, 19, 0)


def test_more_peaks_than_pairs_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match=r"41 queries need .* but 2 classes on a 4 x 5 map have 40"):
        best_peaks(torch.zeros(1, 2, 4, 5), count=41, neighbour_penalty=2.0)
