"""What the operators refuse of PyTorch's derivatives, rather than give wrong ones."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from bev_ops import backends, functional
from bev_ops._autograd import alert_not_deterministic
from op_cases import random_bca, random_dcnv3, random_msda
from torch import Tensor

compiled = pytest.mark.skipif(backends()["dcnv3"]["cpu"] != "compiled", reason="the operators are not compiled")


@compiled
def test_forward_mode_is_refused():
    tensors, arguments = random_dcnv3(1, (4, 5), 2, 4)
    shapes = [(4, 5)]
    value, locations, weights = random_msda(1, 3, 2, 4, shapes, 2)
    (values, offsets, attention), given = random_bca([2], 3, 2, 4, shapes, 4, 2)
    cases = {
        "dcnv3": (lambda x: functional.dcnv3(x, *tensors[1:], **arguments), tensors[0]),
        "ms_deform_attn": (lambda x: functional.ms_deform_attn(x, shapes, locations, weights), value),
        "bev_cross_attention": (lambda x: functional.bev_cross_attention(x, *given, offsets, attention), values),
    }
    for name, (function, x) in cases.items():
        with pytest.raises(NotImplementedError, match=f"bev_ops.{name} has no forward-mode derivative"):
            torch.func.jvp(function, (x,), (torch.ones_like(x),))


@pytest.fixture
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("deterministic")
def test_sums_without_a_fixed_order_are_refused_where_determinism_is_wanted():
    on_gpu = SimpleNamespace(is_cuda=True)
    with pytest.raises(RuntimeError, match=r"bev_ops\.dcnv3's gradient on CUDA is added up in no fixed order"):
        alert_not_deterministic("dcnv3", on_gpu)
    alert_not_deterministic("dcnv3", Tensor([1.0]))
    torch.use_deterministic_algorithms(True, warn_only=True)
    with pytest.warns(UserWarning, match="no fixed order"):
        alert_not_deterministic("dcnv3", on_gpu)
    torch.use_deterministic_algorithms(False)
    alert_not_deterministic("dcnv3", on_gpu)
