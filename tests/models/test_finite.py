from __future__ import annotations

import pytest
import torch
from test_perceptor import small_clip, small_perceptor, small_samples

from bev.models.finite import NotFiniteError


def loss_of(model, clip=None):
    return model(small_clip() if clip is None else clip, small_samples(), mode="loss")


def test_the_first_module_with_a_bad_parameter_is_named() -> None:
    model = small_perceptor().train()
    model.encoder.layers[0].ffn.reduce.weight.data[0, 0] = float("nan")
    with pytest.raises(
        NotFiniteError, match=r"encoder\.layers\.0\.ffn\.reduce \(Linear\): its parameter weight is not"
    ):
        loss_of(model)


def test_bad_images_are_told_from_bad_weights() -> None:
    model, clip = small_perceptor().train(), small_clip()
    clip.images[0, 0, 0, 0, 0, 0] = float("inf")
    with pytest.raises(NotFiniteError, match=r"backbone\.conv1 \(Conv2d\): its inputs were not finite already"):
        loss_of(model, clip)


def test_samples_are_named_and_the_guard_can_be_switched_off() -> None:
    model, samples = small_perceptor(nan_guard=True).train(), small_samples()
    samples[1].set_metainfo({"sample_token": "e93e98b6"})
    model.heads["perspective"].output.bias.data.fill_(float("nan"))
    with pytest.raises(NotFiniteError, match=r"loss perspective.loss_centre.* in samples \(no token\), e93e98b6"):
        model(small_clip(), samples, mode="loss")
    model.nan_guard = False
    assert any(not value.isfinite() for value in loss_of(model).values())


def test_sound_losses_pass() -> None:
    assert all(value.isfinite() for value in loss_of(small_perceptor().train()).values())
    assert torch.is_grad_enabled()
