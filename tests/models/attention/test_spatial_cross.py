from __future__ import annotations

import pytest
import torch
from torch import nn

from bev.models.attention import SpatialCrossAttention, visible_pillars

SHAPES = [(4, 6), (2, 3)]
B, N, Q, Z, C = 2, 3, 10, 2, 8
PIXELS = sum(h * w for h, w in SHAPES)


@pytest.fixture
def attention() -> SpatialCrossAttention:
    torch.manual_seed(0)
    module = SpatialCrossAttention(C, num_heads=2, num_levels=2, num_points=4, num_pillar_points=Z, dropout=0.0)
    for layer in (module.sampling.sampling_offsets, module.sampling.attention_weights):
        nn.init.normal_(layer.weight)
    return module.double()


@pytest.fixture
def scene() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    visible = torch.rand(B, N, Q, Z, generator=generator) < 0.4
    visible[:, :, 0] = False  # the first pillar is seen by no camera
    visible[:, 1:, 1], visible[:, 0, 1] = False, True  # the second one by the first camera alone
    return {
        "query": torch.randn(B, Q, C, generator=generator, dtype=torch.double),
        "features": torch.randn(B, N, PIXELS, C, generator=generator, dtype=torch.double),
        "coordinates": torch.rand(B, N, Q, Z, 2, generator=generator, dtype=torch.double),
        "visible": visible,
    }


def attend(attention: SpatialCrossAttention, scene: dict, mask: torch.Tensor, query=None) -> torch.Tensor:
    seen = visible_pillars(scene["coordinates"], scene["visible"], mask)
    features = scene["features"].flatten(0, 1)[seen.cameras]
    return attention(scene["query"] if query is None else query, features, SHAPES, seen)


def attend_slowly(attention: SpatialCrossAttention, scene: dict, mask: torch.Tensor, query=None) -> torch.Tensor:
    """Every query attends to every camera, and the mean is over those that see its pillar."""
    query = scene["query"] if query is None else query
    rows = []
    for b in range(B):
        total, count = torch.zeros(Q, C, dtype=torch.double), torch.zeros(Q, 1, dtype=torch.double)
        for n in range(N):
            values = attention.sampling.project_values(scene["features"][b, n][None])
            read = attention.sampling(query[b][None], values, scene["coordinates"][b, n][None], SHAPES)[0]
            sees = (scene["visible"][b, n].any(-1) & mask[b, n]).double()[:, None]
            total, count = total + sees * read, count + sees
        rows.append(query[b] + attention.output_proj(total / count.clamp(min=1)))
    return torch.stack(rows)


@pytest.mark.parametrize("mask", [[[1, 1, 1], [1, 1, 1]], [[1, 1, 0], [0, 1, 0]]])
def test_equals_attention_of_all_queries_to_all_cameras(attention, scene, mask):
    mask = torch.tensor(mask, dtype=torch.bool)
    torch.testing.assert_close(attend(attention, scene, mask), attend_slowly(attention, scene, mask))


def test_gradients_equal_those_of_the_slow_way(attention, scene):
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]], dtype=torch.bool)
    gradients = []
    for function in (attend, attend_slowly):
        query = scene["query"].clone().requires_grad_()
        scene["features"] = scene["features"].detach().requires_grad_()
        output = function(attention, scene, mask, query)
        inputs = [query, scene["features"], *attention.parameters()]
        gradients.append(torch.autograd.grad((output * torch.linspace(0, 1, C)).square().sum(), inputs))
    for fast, slow in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, slow)


def test_an_absent_camera_changes_nothing_that_only_others_see(attention, scene):
    everything = torch.ones(B, N, dtype=torch.bool)
    without = everything.clone()
    without[0, 2] = False
    scene["features"][0, 2] = float("nan")  # never read once the camera is absent
    with_camera, without_camera = attend(attention, scene, everything), attend(attention, scene, without)
    seen_by_it = scene["visible"][0, 2].any(-1)
    assert 0 < seen_by_it.sum() < Q
    assert torch.equal(with_camera[0][~seen_by_it], without_camera[0][~seen_by_it])
    assert torch.equal(with_camera[1], without_camera[1])
    assert without_camera.isfinite().all()


def test_a_pillar_that_no_camera_sees_keeps_its_query(attention, scene):
    output = attend(attention, scene, torch.ones(B, N, dtype=torch.bool))
    expected = scene["query"][:, 0] + attention.output_proj.bias
    torch.testing.assert_close(output[:, 0], expected)


def test_a_batch_of_two_equals_two_single_runs(attention, scene):
    mask = torch.tensor([[1, 0, 1], [1, 1, 1]], dtype=torch.bool)
    both = attend(attention, scene, mask)
    for b in range(B):
        single = {key: value[b : b + 1] for key, value in scene.items()}
        torch.testing.assert_close(attend(attention, single, mask[b : b + 1]), both[b : b + 1])


def test_refuses_points_that_cannot_be_dealt_out():
    with pytest.raises(ValueError, match="6 sampling points can't be dealt out evenly to 4 pillar points"):
        SpatialCrossAttention(num_points=6, num_pillar_points=4)
