from __future__ import annotations

from dataclasses import replace

import golden
import golden_bevformer as reference
import pytest
import torch

from bev.errors import InputError
from bev.models.encoders import BEVFormerEncoder
from bev.structures import PreviousBEV

GRID = {"bounds": (-8.0, -8.0, -2.0, 8.0, 8.0, 2.0), "shape": (4, 6)}
LEVELS = ((6, 10), (3, 5))
PADDED = (24, 40)


def small_encoder(**overrides) -> BEVFormerEncoder:
    torch.manual_seed(0)
    options = {"num_layers": 2, "embed_dims": 16, "num_heads": 2, "num_levels": 2, "num_cameras": 3}
    encoder = BEVFormerEncoder(GRID, feedforward_channels=24, dropout=0.0, **{**options, **overrides})
    for layer in encoder.layers:
        for sampling in (layer.temporal_attention.sampling, layer.spatial_attention.sampling):
            torch.nn.init.normal_(sampling.sampling_offsets.weight, std=0.1)
            torch.nn.init.normal_(sampling.attention_weights.weight)
    return encoder.eval()


def previous_bev(bev_map: torch.Tensor) -> PreviousBEV:
    return PreviousBEV(bev_map, torch.zeros(len(bev_map), 2), torch.ones(len(bev_map), dtype=torch.bool))


def small_frame(batch_size: int = 2, num_cameras: int = 3) -> dict[str, object]:
    """Cameras at the origin that look in all directions, each sample's turned a little further."""
    torch.manual_seed(1)
    yaw = torch.arange(num_cameras) * 2.1 + torch.arange(batch_size)[:, None] * 0.4
    zero = torch.zeros_like(yaw)
    forward, right = torch.stack([yaw.cos(), yaw.sin(), zero], -1), torch.stack([yaw.sin(), -yaw.cos(), zero], -1)
    down = torch.tensor([0.0, 0.0, -1.0]).expand_as(right)
    matrices = torch.eye(4).repeat(batch_size, num_cameras, 1, 1)
    matrices[..., :3, :3] = torch.stack([15 * right + 20 * forward, 15 * down + 12 * forward, forward], -2)
    return {
        "levels": [torch.randn(batch_size, num_cameras, 16, *shape) for shape in LEVELS],
        "pix_T_bev": matrices,
        "image_sizes": torch.tensor(PADDED).expand(batch_size, num_cameras, 2),
        "padded_size": PADDED,
        "camera_mask": torch.ones(batch_size, num_cameras, dtype=torch.bool),
    }


def sample_of(frame: dict[str, object], b: int) -> dict[str, object]:
    only = {key: value[b : b + 1] for key, value in frame.items() if isinstance(value, torch.Tensor)}
    if "previous" in frame:
        values = vars(frame["previous"]).items()
        tensors = {name: value[b : b + 1] for name, value in values if isinstance(value, torch.Tensor)}
        only["previous"] = replace(frame["previous"], **tensors)
    return {**frame, **only, "levels": [level[b : b + 1] for level in frame["levels"]]}


@torch.no_grad()
def test_matches_the_official_encoder_layer_by_layer(golden_t1):
    encoder = reference.build_part(reference.encoder_config(), "encoder.")
    taps: dict[str, torch.Tensor] = {}

    def tap(name: str):
        return lambda module, arguments, output: taps.update({name: output})

    for i, layer in enumerate(encoder.layers):
        layer.register_forward_hook(tap(f"enc_layer{i}"))
    encoder.layers[0].temporal_attention.register_forward_hook(tap("enc0_tsa"))
    encoder.layers[0].spatial_attention.register_forward_hook(tap("enc0_sca"))
    matrices = torch.from_numpy(golden_t1["in/lidar2img"])[None]
    tokens = reference.as_tokens(reference.encode(encoder, reference.image_features(), matrices))

    assert len(taps) == 8
    for name, value in taps.items():
        golden.check(golden_t1, f"eval/{name}", value)
    golden.check(golden_t1, "eval/bev_embed", tokens.transpose(0, 1))
    golden.check(golden_t1, "eval/only_bev", tokens)
    expected = torch.from_numpy(golden_t1["enc/ref_2d"])
    torch.testing.assert_close(encoder.cell_centres, expected, atol=1e-6, rtol=0)


@torch.no_grad()
def test_a_batch_on_a_rectangular_grid_matches_official_single_runs(golden_rect):
    encoder = reference.build_part(reference.encoder_config((12, 20)), "encoder.")
    matrices = torch.stack([torch.from_numpy(golden_rect[f"in/lidar2img{suffix}"]) for suffix in ("", "_b")])
    features = reference.image_features("bevformerv2_bs2", batch_size=2)
    both = reference.as_tokens(reference.encode(encoder, features, matrices))
    for b in range(2):
        golden.check(golden_rect, f"single{b}/bev_embed", both[b : b + 1].transpose(0, 1))


@pytest.mark.parametrize("with_previous", [False, True])
@torch.no_grad()
def test_a_batch_of_two_equals_two_single_runs(with_previous):
    encoder, frame = small_encoder(), small_frame()
    frame["camera_mask"] = torch.tensor([[True, True, False], [True, True, True]])
    if with_previous:
        frame["previous"] = previous_bev(torch.randn(2, 16, 4, 6))
    both = encoder(**frame)
    assert both.shape == (2, 16, 4, 6)
    for b in range(2):
        torch.testing.assert_close(encoder(**sample_of(frame, b)), both[b : b + 1], atol=1e-5, rtol=0)


@torch.no_grad()
def test_cameras_beyond_the_present_ones_do_not_matter():
    encoder, frame = small_encoder(), small_frame()
    frame["camera_mask"][:, 2] = False
    frame["levels"] = [level.index_fill(1, torch.tensor(2), float("nan")) for level in frame["levels"]]
    fewer = {key: value[:, :2] for key, value in frame.items() if isinstance(value, torch.Tensor)}
    fewer = {**frame, **fewer, "levels": [level[:, :2] for level in frame["levels"]]}
    torch.testing.assert_close(encoder(**frame), encoder(**fewer), atol=1e-6, rtol=0)


@torch.no_grad()
def test_removing_a_camera_keeps_what_only_others_see():
    encoder, frame = small_encoder(num_layers=1), small_frame()
    taps = []
    encoder.layers[0].spatial_attention.register_forward_hook(lambda module, arguments, output: taps.append(output))
    encoder(**frame)
    frame["camera_mask"] = torch.tensor([[True, True, False], [True, True, True]])
    encoder(**frame)
    changed = (taps[0] != taps[1]).any(-1)
    assert changed[0].any()
    assert not changed[0].all()
    assert not changed[1].any()


def test_can_bus_values_are_asked_for_and_used():
    encoder, frame = small_encoder(can_bus_dims=18), small_frame()
    with pytest.raises(ValueError, match="takes CAN bus values, but the clip has none"):
        encoder(**frame)
    maps = [encoder(**frame, can_bus=torch.full((2, 18), value)) for value in (0.0, 1.0)]
    assert (maps[0] - maps[1]).abs().max() > 1e-3


@torch.no_grad()
def test_the_previous_map_is_read():
    encoder, frame = small_encoder(), small_frame()
    maps = [encoder(**frame, previous=previous_bev(torch.full((2, 16, 4, 6), value))) for value in (0.0, 1.0)]
    assert (maps[0] - maps[1]).abs().max() > 1e-3


def test_every_parameter_has_a_gradient():
    encoder = small_encoder().train()
    encoder(**small_frame()).square().mean().backward()
    without = [name for name, value in encoder.named_parameters() if value.grad is None or not value.grad.any()]
    assert without == []


def test_embeddings_start_as_large_as_asked():
    encoder = small_encoder(embedding_std=0.02, embed_dims=256)
    for embeddings in (encoder.queries.weight, encoder.level_embeds, encoder.camera_embeds):
        assert 0.015 < embeddings.std() < 0.025


def test_embeddings_of_views_and_positions_may_start_otherwise():
    encoder = small_encoder(view_std=0.02, embed_dims=256)
    assert 0.9 < encoder.queries.weight.std() < 1.1
    assert encoder.positional_encoding.row_embed.weight.min() < -1
    for embeddings in (encoder.level_embeds, encoder.camera_embeds):
        assert 0.015 < embeddings.std() < 0.025
    uniform = small_encoder(position_init="uniform", embed_dims=256).positional_encoding.row_embed.weight
    assert 0 <= uniform.min() < 0.1 < 0.9 < uniform.max() <= 1
    with pytest.raises(InputError, match="start 'normal' or 'uniform', not 'zero'"):
        small_encoder(position_init="zero")


def test_refuses_more_cameras_than_it_knows():
    with pytest.raises(ValueError, match="clip has 3 cameras, but the BEV encoder was built for at most 2"):
        small_encoder(num_cameras=2)(**small_frame())


def test_refuses_too_few_levels():
    with pytest.raises(ValueError, match="reads 3 feature levels, but the neck made 2"):
        small_encoder(num_levels=3)(**small_frame())


def test_refuses_an_unknown_start_of_the_queries():
    with pytest.raises(InputError, match="'normal' or 'polar', not 'zero'"):
        small_encoder(query_init="zero")
