"""Linear layers that use the whole vector width of the processor.

On x86 PyTorch gives float32 products to MKL, which runs its AVX2 code on processors of other makers than Intel. oneDNN,
to which PyTorch gives convolutions, runs AVX-512 code on all that have it. There, large products are computed as 1x1
convolutions; `tools/benchmark.py backbone` shows what it brings.
"""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from bev_ops._library import is_compiled
from torch import Tensor, nn

# Below these a convolution's preparations cost more than it saves, or PyTorch doesn't give it to oneDNN.
MIN_INPUTS = 1 << 15
MIN_MULTIPLY_ADDS = 1 << 23
MIN_ROWS = 256  # a convolution reorders the whole weight first, which takes as long as some hundred rows


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`, with gradients, by the faster of PyTorch's two libraries.

    Args:
        x: (..., C).
        weight: (D, C).
        bias: (D,).

    Returns:
        (..., D), of the type that `torch.nn.functional.linear` gives.
    """
    if not _is_faster_as_convolution(x, weight):
        return F.linear(x, weight, bias)
    maps = x.reshape(1, -1, 1, x.shape[-1]).permute(0, 3, 1, 2)  # in memory as before: channels last
    return F.conv2d(maps, weight[:, :, None, None], bias).permute(0, 2, 3, 1).reshape(*x.shape[:-1], len(weight))


class Linear(nn.Linear):
    """`torch.nn.Linear` that computes by `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to (..., D)."""
        return linear(x, self.weight, self.bias)


def _is_faster_as_convolution(x: Tensor, weight: Tensor) -> bool:
    if torch.compiler.is_compiling() or x.device.type != "cpu":
        return False
    if type(x) is not Tensor or type(weight) not in (Tensor, nn.Parameter):
        return False  # subclasses may know linear layers and no convolutions, such as quantised weights
    rows = x.numel() // max(x.shape[-1], 1)
    large = rows >= MIN_ROWS and x.numel() >= MIN_INPUTS and x.numel() * len(weight) >= MIN_MULTIPLY_ADDS
    plain = x.dtype == weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return large and plain and torch.get_num_threads() > 1 and _mkl_lags() and _onednn_on() and is_compiled(x.device)


def _onednn_on() -> bool:
    return bool(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled)


@cache
def _mkl_lags() -> bool:
    """Whether MKL leaves instructions of this processor unused."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not torch.backends.mkl.is_available():
        return False
    try:
        processor = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        processor = platform.processor()
    return "GenuineIntel" not in processor
