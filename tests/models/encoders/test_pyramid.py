from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from bev.models.encoders import PyramidEncoder
from bev.models.encoders.positional import sine_codes
from bev.models.encoders.pyramid import padding_mask

PADDED = (32, 64)


def small_encoder() -> PyramidEncoder:
    torch.manual_seed(0)
    return PyramidEncoder(2, embed_dims=16, num_heads=2, num_levels=2, feedforward_channels=16, dropout=0.0)


def small_levels(batch_size: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(batch_size, 16, 32 // s, 64 // s, generator=generator) for s in (4, 8)]


@torch.no_grad()
def test_a_batch_of_two_equals_two_single_runs() -> None:
    encoder, levels = small_encoder(), small_levels(2)
    sizes = torch.tensor([[32, 40], [20, 64]])
    both = encoder(levels, sizes, PADDED)
    assert both.shapes == [(8, 16), (4, 8)]
    for b in range(2):
        alone = encoder([level[b : b + 1] for level in levels], sizes[b : b + 1], PADDED)
        torch.testing.assert_close(both.values[b : b + 1], alone.values)
        torch.testing.assert_close(both.valid[b : b + 1], alone.valid)


@torch.no_grad()
def test_what_is_in_the_padding_does_not_matter() -> None:
    encoder, levels, sizes = small_encoder(), small_levels(1), torch.tensor([[32, 40]])
    before = encoder(levels, sizes, PADDED)
    for level, stride in zip(levels, (4, 8), strict=True):
        level[..., 40 // stride :] = 100
    after = encoder(levels, sizes, PADDED)
    torch.testing.assert_close(after.values[~after.padding], before.values[~before.padding])


@torch.no_grad()
def test_absent_images_are_finite() -> None:
    tokens = small_encoder()(small_levels(1), torch.tensor([[0, 0]]), PADDED)
    assert tokens.values.isfinite().all()
    assert tokens.padding.all()


def test_padding_begins_where_the_image_ends() -> None:
    mask = padding_mask(torch.tensor([[16, 33]]), PADDED, (4, 8))
    assert mask[0].sum().item() == 4 * 8 - 2 * 5  # 2 of 4 rows, 33 of 64 pixels are 4 columns and a part of the fifth


def test_codes_by_hand() -> None:
    padding = torch.tensor([[[False, False, True]]])
    codes = sine_codes(padding, 4)
    # One row, so that y is half of the image; the columns are at 1/4 and 3/4.
    expected = [[math.pi, math.pi / 2], [math.pi, 3 * math.pi / 2]]
    for column, (y, x) in enumerate(expected):
        wanted = torch.tensor([math.sin(y), math.cos(y), math.sin(x), math.cos(x)])
        torch.testing.assert_close(codes[0, column], wanted, atol=1e-4, rtol=0)


def test_too_few_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="reads 2 feature levels, but the neck made 1"):
        small_encoder()(small_levels(1)[:1], torch.tensor([[32, 64]]), PADDED)
