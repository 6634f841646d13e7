"""What a checkpoint may hold beside tensors and plain containers.

`torch.load(weights_only=True)` builds nothing but what is on a list. Ours adds what mmengine keeps in its checkpoints
(logged numbers as NumPy arrays) and what published checkpoints carry along (argument and config objects). Objects that
are of no use here are read as plain dictionaries, so their packages need not be installed.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from bev.datasets.plain_arrays import NUMERIC_TYPES, ArrayGuard

HISTORY_STATISTICS = ("min", "max", "current", "mean")
UNSPEAKABLE = "numpy.ndarray\n"
"""A name that no pickle can spell: arrays are filled because their class is on the list, but a file can't call it."""

SafeGlobal = tuple[Any, str]


class _PlainMapping:
    """Stands in for a dictionary subclass: instances are plain ordered dictionaries."""

    def __new__(cls, *items: Any) -> Any:
        return collections.OrderedDict(*items)


def _history_statistic(owner: Any, name: str) -> Callable[..., Any]:
    """Stands in for `getattr`, with which a pickled `HistoryBuffer` names its own methods."""
    if owner is not HistoryBuffer or name not in HISTORY_STATISTICS:
        raise pickle.UnpicklingError(f"GLOBAL builtins.getattr was not an allowed global: it asks for {name!r}")
    return getattr(HistoryBuffer, name)


def _numpy_globals(arrays: ArrayGuard) -> list[SafeGlobal]:
    dtypes = {type(np.dtype(code)) for code in (*NUMERIC_TYPES, "U", "S")}
    parts = arrays.parts
    return [
        (parts["ndarray"], "numpy.ndarray"),
        (parts["dtype"], "numpy.dtype"),
        # NumPy 2 moved these two; a file may come from either version.
        *(
            (parts[name], f"numpy.{core}.multiarray.{name}")
            for core in ("core", "_core")
            for name in ("_reconstruct", "scalar")
        ),
        *((dtype, f"{dtype.__module__}.{dtype.__qualname__}") for dtype in dtypes),
        (np.ndarray, UNSPEAKABLE),
    ]


SAFE_GLOBALS: tuple[SafeGlobal, ...] = (
    (HistoryBuffer, "mmengine.logging.history_buffer.HistoryBuffer"),
    (_history_statistic, "builtins.getattr"),
    (argparse.Namespace, "argparse.Namespace"),
    (_PlainMapping, "yacs.config.CfgNode"),
    (_PlainMapping, "mmengine.config.config.ConfigDict"),
    (_PlainMapping, "mmcv.utils.config.ConfigDict"),
    (_PlainMapping, "addict.addict.Dict"),
)


@contextlib.contextmanager
def allow_safe_globals(extra: Iterable[type] = ()) -> Iterator[None]:
    """Let `torch.load(weights_only=True)` read what is on the list, inside a `with` block.

    Args:
        extra: Further classes whose author the caller trusts.
    """
    known, arrays = set(torch.serialization.get_safe_globals()), ArrayGuard()
    wanted: list[Any] = [*SAFE_GLOBALS, *_numpy_globals(arrays), *extra]
    with torch.serialization.safe_globals([entry for entry in wanted if entry not in known]):
        yield
    arrays.check()
