"""The DCNv3 layer of InternImage (arXiv 2211.05778, section 3.1), with the official parameter names.

Shape glossary: N images, H x W input pixels, Ho x Wo output pixels, C channels, G groups, P points.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from bev_ops import fused
from bev_ops.dcnv3.op import dcnv3
from bev_ops.linear import Linear
from torch import Tensor, nn


class _ToChannelsLast(nn.Module):
    """(N, C, H, W) to (N, H, W, C)."""

    def forward(self, maps: Tensor) -> Tensor:
        """Permute without a copy."""
        return maps.permute(0, 2, 3, 1)


def _norm(kind: str, channels: int) -> nn.Sequential:
    """A norm that takes (N, C, H, W) and gives (N, H, W, C)."""
    if kind == "LN":
        return nn.Sequential(_ToChannelsLast(), nn.LayerNorm(channels, eps=1e-6))
    if kind == "BN":
        return nn.Sequential(nn.BatchNorm2d(channels), _ToChannelsLast())
    raise ValueError(f"DCNv3: norm_layer must be 'LN' or 'BN', got {kind!r}")


def _activation(kind: str) -> nn.Module:
    kinds = {"GELU": nn.GELU, "ReLU": nn.ReLU, "SiLU": nn.SiLU}
    if kind not in kinds:
        raise ValueError(f"DCNv3: act_layer must be one of {', '.join(kinds)}, got {kind!r}")
    return kinds[kind]()


class DCNv3(nn.Module):
    """Projects the input, samples it where a depthwise convolution of the input says, and projects the result.

    Args:
        channels: C.
        kernel_size: side of the sampling window.
        dw_kernel_size: side of the depthwise convolution, odd; the sampling window's by default.
        stride: step between windows.
        pad: zeros around the image, in pixels.
        dilation: step between undisplaced points.
        group: G, divides C.
        offset_scale: multiplies all distances from a window's centre.
        act_layer: activation after the depthwise convolution: GELU, ReLU or SiLU.
        norm_layer: norm after the depthwise convolution: LN or BN.
        center_feature_scale: mix the projected input into the output by a learned gate per group (variants H and G).
        remove_center: leave out the window's centre point.
        softmax: make the weights of a group's points add up to 1. Without it they are unbounded, as in DCNv4 (arXiv
            2401.06197, section 3.1), which can express more and saves the normalisation.

    Raises:
        ValueError: on arguments that don't fit each other.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int = 3,
        dw_kernel_size: int | None = None,
        stride: int = 1,
        pad: int = 1,
        dilation: int = 1,
        group: int = 4,
        offset_scale: float = 1.0,
        act_layer: str = "GELU",
        norm_layer: str = "LN",
        center_feature_scale: bool = False,
        remove_center: bool = False,
        softmax: bool = True,
    ) -> None:
        super().__init__()
        if channels % group:
            raise ValueError(f"DCNv3: {group} groups don't divide {channels} channels")
        if center_feature_scale and stride != 1:
            raise ValueError(f"DCNv3: center_feature_scale needs stride 1, got {stride}")
        dw_kernel_size = kernel_size if dw_kernel_size is None else dw_kernel_size
        if dw_kernel_size % 2 == 0:
            raise ValueError(f"DCNv3: dw_kernel_size must be odd, got {dw_kernel_size}")
        self.group = group
        self.window = {
            "kernel_size": kernel_size, "stride": stride, "padding": pad, "dilation": dilation,
            "groups": group, "offset_scale": offset_scale, "remove_center": remove_center,
        }  # fmt: skip
        self.center_feature_scale = center_feature_scale
        self.softmax = softmax
        points = kernel_size * kernel_size - int(remove_center)

        self.dw_conv = nn.Sequential(
            nn.Conv2d(channels, channels, dw_kernel_size, stride, dw_kernel_size // 2, groups=channels),
            _norm(norm_layer, channels),
            _activation(act_layer),
        )
        self.offset = Linear(channels, group * points * 2)
        self.mask = Linear(channels, group * points)
        self.input_proj = Linear(channels, channels)
        self.output_proj = Linear(channels, channels)
        if center_feature_scale:
            self.center_feature_scale_proj_weight = nn.Parameter(torch.zeros(group, channels))
            self.center_feature_scale_proj_bias = nn.Parameter(torch.zeros(group))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as an average over the undisplaced window: zero offsets, equal masks, Xavier projections."""
        for layer in (self.offset, self.mask):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        if not self.softmax:
            nn.init.constant_(self.mask.bias, self.group / self.mask.out_features)
        for layer in (self.input_proj, self.output_proj):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, H, W, C) to (N, Ho, Wo, C)."""
        projected = self.input_proj(x)
        feature = self._feature(x)
        mask = self.mask(feature)
        if self.softmax:
            mask = fused.softmax(mask.unflatten(-1, (self.group, -1))).flatten(-2)
        output = dcnv3(projected, self.offset(feature), mask, **self.window)
        if self.center_feature_scale:
            output = self._mix_center(output, projected, feature)
        return self.output_proj(output)

    def _feature(self, x: Tensor) -> Tensor:
        """What offsets and weights are computed from: (N, H, W, C) to (N, Ho, Wo, C)."""
        maps = x.permute(0, 3, 1, 2)
        convolution, norm, activation = self.dw_conv
        assert isinstance(norm, nn.Sequential)
        last = norm[-1]
        usual = type(last) is nn.LayerNorm and last.bias is not None and len(last.normalized_shape) == 1
        usual = usual and type(activation) is nn.GELU and activation.approximate == "none"
        if not usual or not fused.have_no_hooks(self.dw_conv, norm, *norm, activation) or not fused.serves(maps):
            return self.dw_conv(maps)
        return fused.layer_norm(convolution(maps).permute(0, 2, 3, 1), last.weight, last.bias, last.eps, gelu=True)

    def _mix_center(self, output: Tensor, projected: Tensor, feature: Tensor) -> Tensor:
        """Mix the projected input into the output, both (N, H, W, C), by a gate per group from the feature."""
        gate = F.linear(feature, self.center_feature_scale_proj_weight, self.center_feature_scale_proj_bias).sigmoid()
        gate = gate.repeat_interleave(output.shape[-1] // self.group, dim=-1)
        return torch.lerp(output, projected, gate)
