"""The window of a deformable convolution, and the checks of its arguments."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

IntPair = int | tuple[int, int]


class Window(NamedTuple):
    """A sliding window with deformed sampling points; pairs are (height, width)."""

    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    offset_scale: float
    remove_center: bool

    @property
    def points(self) -> int:
        """Sampling points per window and group."""
        return self.kernel_size[0] * self.kernel_size[1] - int(self.remove_center)

    def flat(self) -> tuple[int | float | bool, ...]:
        """The arguments in the order of the operator's schema."""
        pairs = (*self.kernel_size, *self.stride, *self.padding, *self.dilation)
        return *pairs, self.groups, self.offset_scale, self.remove_center

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the output for an input of `height` x `width` pixels."""
        return self._output_size(0, height), self._output_size(1, width)

    def _output_size(self, axis: int, size: int) -> int:
        reach = self.dilation[axis] * (self.kernel_size[axis] - 1)
        return (size + 2 * self.padding[axis] - reach - 1) // self.stride[axis] + 1

    def check(self, input: Tensor, offset: Tensor, mask: Tensor) -> tuple[int, int]:
        """Check shapes, types and devices against the window; return the output's height and width.

        Raises:
            ValueError: says what is wrong, what was expected and what was given.
        """
        if input.dim() != 4:
            raise ValueError(f"dcnv3: input must be (N, H, W, C), got shape {tuple(input.shape)}")
        images, height, width, channels = input.shape
        if channels < 1 or channels % self.groups:
            raise ValueError(f"dcnv3: input has {channels} channels, which {self.groups} groups cannot share")
        if height < 1 or width < 1:
            raise ValueError(f"dcnv3: input needs at least one pixel, got {height} x {width}")
        out_height, out_width = self.output_size(height, width)
        if out_height < 1 or out_width < 1:
            raise ValueError(
                f"dcnv3: a {height} x {width} input with padding {self.padding} is smaller than the window "
                f"(kernel {self.kernel_size}, dilation {self.dilation})"
            )
        per_pixel = self.groups * self.points
        for name, tensor, last in (("offset", offset, 2 * per_pixel), ("mask", mask, per_pixel)):
            expected = (images, out_height, out_width, last)
            if tensor.shape != expected:
                raise ValueError(f"dcnv3: {name} must have shape {expected}, got {tuple(tensor.shape)}")
            if tensor.device != input.device:
                raise ValueError(f"dcnv3: {name} is on {tensor.device}, input on {input.device}")
        return out_height, out_width


def _pair(name: str, value: IntPair, least: int) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or min(pair) < least:
        raise ValueError(f"dcnv3: {name} must be one or two integers >= {least}, got {value}")
    return pair


def make_window(
    kernel_size: IntPair,
    stride: IntPair,
    padding: IntPair,
    dilation: IntPair,
    groups: int,
    offset_scale: float,
    remove_center: bool,
) -> Window:
    """A window from arguments given as one integer or as (height, width).

    Raises:
        ValueError: if a size is out of range, or if `remove_center` is asked of a window without a centre point.
    """
    window = Window(
        kernel_size=_pair("kernel_size", kernel_size, 1),
        stride=_pair("stride", stride, 1),
        padding=_pair("padding", padding, 0),
        dilation=_pair("dilation", dilation, 1),
        groups=groups,
        offset_scale=float(offset_scale),
        remove_center=bool(remove_center),
    )
    if groups < 1:
        raise ValueError(f"dcnv3: groups must be at least 1, got {groups}")
    if remove_center and (window.kernel_size[0] % 2 == 0 or window.kernel_size[1] % 2 == 0):
        raise ValueError(f"dcnv3: remove_center needs an odd kernel, got {window.kernel_size}")
    return window
