from __future__ import annotations

import torch

from bev.models.decoders.place_encoding import PlaceEncoding, encode_place


def test_neighbouring_cells_are_told_apart() -> None:
    places = torch.stack([torch.linspace(0, 1, 200)] * 3, dim=-1)
    encoded = encode_place(places)
    distances = torch.cdist(encoded, encoded) + 10 * torch.eye(200)
    assert encoded.shape == (200, 48)
    assert distances.min() > 1.0


def test_two_points_are_encoded_one_after_the_other() -> None:
    points = torch.rand(2, 5, 6)
    each = torch.cat([encode_place(points[..., :3]), encode_place(points[..., 3:])], dim=-1)
    torch.testing.assert_close(encode_place(points), each)
    encoding = PlaceEncoding(6, 16)
    assert encoding(points).shape == (2, 5, 16)
    assert set(encoding.state_dict()) == {"0.weight", "0.bias", "2.weight", "2.bias"}
