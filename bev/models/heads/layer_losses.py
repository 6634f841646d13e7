"""Names of the losses of decoder layers."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


def name_layers(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Losses (L,) of L decoder layers by name, to one scalar per name and layer.

    The last layer's keep their names; those of the others begin with `d0.`, `d1.`, ...
    """
    named = {}
    for name, values in losses.items():
        for layer, value in enumerate(values):
            named[name if layer == len(values) - 1 else f"d{layer}.{name}"] = value
    return named
