from __future__ import annotations

from pathlib import Path

import pytest
import torch
from test_perceptor import PERSPECTIVE, small_clip, small_detection, small_perceptor, small_samples
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.modules.batchnorm import _BatchNorm
from two_ranks import run_on_two_ranks

from bev.models.finite import NotFiniteError, first_non_finite


class GatheringNorm(nn.SyncBatchNorm):
    """Waits for the other processes in training mode, as synchronised norms do on GPUs; on CPUs torch refuses to."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        if self.training:
            torch.distributed.all_reduce(maps.detach().mean())
        return _BatchNorm.forward(self, maps)


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


def test_one_of_two_processes_finds_its_fault_alone(tmp_path: Path) -> None:
    run_on_two_ranks(_fail_on_the_second, tmp_path)


def _fail_on_the_second(rank: int) -> None:
    model = small_perceptor(heads={"detection": small_detection(), "perspective": PERSPECTIVE})
    model.backbone.maxpool = nn.Sequential(model.backbone.maxpool, GatheringNorm(4))
    model.train()
    if rank == 0:
        assert all(value.isfinite() for value in loss_of(model).values())
        return
    model.heads["perspective"].class_logits.register_forward_hook(lambda _, __, logits: logits * float("inf"))
    with pytest.raises(NotFiniteError, match=r"heads\.perspective\.class_logits \(Conv2d\): with finite inputs"):
        loss_of(model)
    assert model.backbone.maxpool[1].training


def test_a_model_in_parts_is_not_gathered_for_one_process(tmp_path: Path) -> None:
    run_on_two_ranks(_search_on_the_second, tmp_path)


def _search_on_the_second(rank: int) -> None:
    model = fully_shard(nn.Linear(4, 4), mesh=torch.distributed.init_device_mesh("cpu", (2,)))
    if rank == 1:
        found = first_non_finite(model, lambda: model(torch.full((1, 4), float("nan"))))
        assert found == "a module that no process can find alone while parameters are sharded"
