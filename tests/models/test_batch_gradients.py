"""A batch of two teaches what its two samples teach, with everything that has to keep samples apart switched on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_perceptor import DIMS, GRID, PERSPECTIVE, small_clip, small_detection, small_perceptor, small_samples
from test_recurrent import moving_clip
from torch import nn

from bev.models.perceptor import BEVPerceptor
from bev.structures import CameraClip


def model_of(kind: str) -> BEVPerceptor:
    """Group DETR, perspective head and history, in double precision, with the statistics of batch norms held."""
    heads = {
        "detection": small_detection(num_groups=3),
        "perspective": {**PERSPECTIVE, "sight": {"min_points": 0}},
    }
    temporal = (
        {"type": "RecurrentBEV", "grid": GRID}
        if kind == "v1"
        else {"type": "TemporalFusion", "num_frames": 3, "embed_dims": DIMS}
    )
    model = small_perceptor(heads=heads, temporal=temporal).double().train()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    return model


def clips() -> CameraClip:
    """Two samples that differ in their images, but not in what is to be found: each counts for a half."""
    clip = moving_clip(2, 3)
    same = [0, 0]
    return replace(
        clip,
        images=clip.images.double(),
        pix_T_bev=clip.pix_T_bev[same].double(),
        global_T_bev=clip.global_T_bev[same],
        bev_augmentation=clip.bev_augmentation.double(),
    )


def gradients(model: BEVPerceptor, clip: CameraClip) -> dict[str, torch.Tensor]:
    model.zero_grad()
    samples = [small_samples(1)[0] for _ in range(clip.batch_size)]
    total, losses = model.parse_losses(model(clip, samples, mode="loss"))
    assert losses["perspective.loss_box3d_depth"] > 0, "no image shows the object"
    total.backward()
    return {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_gradients_of_two_are_the_mean_of_those_of_one(kind: str) -> None:
    model, clip = model_of(kind), clips()
    both = gradients(model, clip)
    single = [gradients(model, clip.select_samples([b])) for b in range(2)]
    assert len(both) > 50
    for name, gradient in both.items():
        mean = (single[0][name] + single[1][name]) / 2
        scale = max(1.0, mean.abs().max().item())
        torch.testing.assert_close(gradient, mean, atol=1e-4 * scale, rtol=0)
    first = "encoder.queries.weight"
    assert not torch.allclose(single[0][first], single[1][first], rtol=1e-2)


def test_checkpointing_changes_memory_and_nothing_else() -> None:
    model, clip = model_of("v2"), clips()
    expected = gradients(model, clip)
    model.encoder.with_cp = model.temporal.with_cp = True
    for name, gradient in gradients(model, clip).items():
        torch.testing.assert_close(gradient, expected[name], atol=1e-10, rtol=1e-8)


def test_history_goes_through_the_backbone_in_one_pass_unless_told_otherwise() -> None:
    model, clip = small_perceptor(num_frames=3).eval(), small_clip(num_frames=3)
    seen = []
    model.backbone.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    with torch.no_grad():
        together = model.extract_features(clip).bev.map
        model.history_frames_per_pass = 1
        apart = model.extract_features(clip).bev.map
    assert seen == [12, 6, 6, 6, 6]
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=0)
