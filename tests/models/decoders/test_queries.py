from __future__ import annotations

import pytest
import torch

from bev.geometry.grid import BEVGrid
from bev.models.decoders import LearnedQueries
from bev.structures import BEVFeatures


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_references_keep_their_precision_within_autocast(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    queries = LearnedQueries(embed_dims=16, num_queries=50)
    features = BEVFeatures(torch.zeros(2, 16, 4, 4), BEVGrid((-8.0, -8.0, -2.0, 8.0, 8.0, 2.0), (4, 4)))
    expected = queries(features).reference
    with torch.autocast("cpu", dtype):
        found = queries(features).reference
    assert torch.equal(found, expected)
