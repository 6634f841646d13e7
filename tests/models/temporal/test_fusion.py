from __future__ import annotations

import golden
import golden_bevformer as reference
import pytest
import torch
from torch import nn

from bev.models.temporal import TemporalFusion
from bev.models.temporal.fusion import fill_missing


@pytest.mark.parametrize("mode", ["eval", "train"])
@torch.no_grad()
def test_matches_the_official_fusion(golden_t2, mode):
    encoder = reference.build_part(reference.encoder_config(), "encoder.")
    fusion = reference.build_part(reference.fusion_config(2), "temporal.").train(mode == "train")
    matrices = torch.from_numpy(golden_t2["in/lidar2img"])[None]
    current = reference.encode(encoder, reference.image_features(), matrices)
    previous = golden.inp("bevformerv2/prev_bev", (1, 400, 256)).transpose(1, 2).unflatten(2, (20, 20))
    fused = fusion([previous, current], torch.ones(1, 2, dtype=torch.bool), current=1)
    golden.check(golden_t2, f"{mode}/fusion_out", reference.as_tokens(fused))


def test_missing_frames_are_copied_per_sample_from_the_side_of_the_current_one():
    frames = [torch.full((2, 1, 1, 1), float(t)) + torch.tensor([0.0, 0.5]).view(2, 1, 1, 1) for t in range(5)]
    mask = torch.tensor([[False, True, True, False, True], [True, False, True, True, False]])
    filled = torch.cat(fill_missing(frames, mask, current=2), 1)[:, :, 0, 0]
    assert filled.tolist() == [[1.0, 1.0, 2.0, 2.0, 4.0], [0.5, 2.5, 2.5, 3.5, 3.5]]


def test_frames_that_no_sample_has_may_be_none():
    current = torch.randn(2, 3, 4, 4)
    mask = torch.tensor([[False, False, True]] * 2)
    filled = fill_missing([None, None, current], mask, current=2)
    assert all(torch.equal(frame, current) for frame in filled)


def test_no_gradient_flows_through_copies():
    current = torch.randn(1, 3, 4, 4, requires_grad=True)
    copy = fill_missing([None, current], torch.tensor([[False, True]]), current=1)[0]
    assert not copy.requires_grad


@pytest.mark.parametrize("hidden_dims", [None, 10])
def test_shapes_and_gradients(hidden_dims):
    fusion = TemporalFusion(num_frames=3, embed_dims=4, hidden_dims=hidden_dims)
    frames = [torch.randn(2, 4, 5, 7) for _ in range(3)]
    fused = fusion(frames, torch.ones(2, 3, dtype=torch.bool), current=2)
    assert fused.shape == (2, 4, 5, 7)
    (fused * torch.randn_like(fused)).sum().backward()
    assert all(parameter.grad is not None for parameter in fusion.parameters())
    assert any(isinstance(part, nn.BatchNorm2d) for part in fusion.modules())


def test_refuses_another_number_of_frames():
    fusion = TemporalFusion(num_frames=2, embed_dims=4)
    with pytest.raises(ValueError, match="built for 2 frames, but the clip has 3"):
        fusion([torch.randn(1, 4, 5, 7)] * 3, torch.ones(1, 3, dtype=torch.bool), current=2)


def test_recomputation_leaves_batch_statistics_alone() -> None:
    frames, mask = [torch.randn(2, 4, 5, 7) for _ in range(2)], torch.ones(2, 2, dtype=torch.bool)
    fusions = []
    for with_cp in (False, True):
        torch.manual_seed(0)
        fusion = TemporalFusion(num_frames=2, embed_dims=4, hidden_dims=6, with_cp=with_cp)
        fusion.blocks[1].eval()
        loss = fusion(frames, mask, current=1).square().sum()
        loss.backward(retain_graph=True)
        loss.backward()
        fusions.append(fusion)
    for (name, plain), (_, recomputed) in zip(*(fusion.named_parameters() for fusion in fusions), strict=True):
        torch.testing.assert_close(recomputed.grad, plain.grad, msg=name)
    for (name, plain), (_, recomputed) in zip(*(fusion.named_buffers() for fusion in fusions), strict=True):
        assert torch.equal(recomputed, plain), name
    assert fusions[1].blocks[0].bn1.num_batches_tracked == 1
