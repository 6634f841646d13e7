from __future__ import annotations

import torch

from bev.models.heads.layer_losses import name_layers


def test_only_the_last_layer_has_no_prefix() -> None:
    named = name_layers({"loss_cls": torch.tensor([1.0, 2.0, 3.0]), "loss": torch.tensor([4.0])})
    assert {name: float(value) for name, value in named.items()} == {
        "d0.loss_cls": 1, "d1.loss_cls": 2, "loss_cls": 3, "loss": 4,
    }  # fmt: skip
