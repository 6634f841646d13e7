"""Stand-in for mmcv's compiled extension (`mmcv._ext`): the ops that our models need, under mmcv's calling convention.

`mmcv/ops/*.py` (also part of mmcv-lite) wraps each op in an autograd function, which calls forward and backward
functions of the extension and lets them write to tensors it allocated. The modules here have those functions' names and
arguments. An op that is not in `SERVED_OPS` raises when it is called, never at import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from bev.compat.mmcv_ext import attention, boxes, deform_conv, focal_loss, roi_align

SERVED_OPS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        boxes.nms,
        boxes.softnms,
        roi_align.roi_align_forward,
        roi_align.roi_align_backward,
        deform_conv.deform_conv_forward,
        deform_conv.deform_conv_backward_input,
        deform_conv.deform_conv_backward_parameters,
        deform_conv.modulated_deform_conv_forward,
        deform_conv.modulated_deform_conv_backward,
        focal_loss.sigmoid_focal_loss_forward,
        focal_loss.sigmoid_focal_loss_backward,
        attention.ms_deform_attn_forward,
        attention.ms_deform_attn_backward,
    )
}


def unserved_op(name: str) -> Callable[..., NoReturn]:
    """Returns a function that refuses to run, for an op of mmcv that this package lacks.

    It is the extension's `__getattr__`, because mmcv asserts on import that the extension has every function it wraps.

    Raises:
        AttributeError: for a name with a leading underscore, which Python's own machinery asks for and no op has.
    """
    if name.startswith("_"):
        raise AttributeError(f"module 'mmcv._ext' has no attribute {name!r}")

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f"mmcv op '{name}' was called, but mmcv's compiled extension is not installed and bev.compat does not "
            f"serve this op. To use it, install the full mmcv (>=2.0.0, <2.2.0) built for your torch version."
        )

    refuse.__name__ = refuse.__qualname__ = name
    return refuse
