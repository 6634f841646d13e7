from __future__ import annotations

import torch

from bev.models.encoders.positional import LearnedPositionalEncoding


def test_columns_come_first_then_rows():
    encoding = LearnedPositionalEncoding((3, 5), embed_dims=8)
    position = encoding().view(3, 5, 8)
    assert torch.equal(position[2, 4, :4], encoding.col_embed.weight[4])
    assert torch.equal(position[2, 4, 4:], encoding.row_embed.weight[2])
    assert torch.equal(position[0, 4, :4], position[2, 4, :4])
