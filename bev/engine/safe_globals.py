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

NUMERIC_TYPES = "?bBhHiIlLqQefdFD"  # NumPy's character codes; object arrays are not among them
HISTORY_STATISTICS = ("min", "max", "current", "mean")

SafeGlobal = tuple[Callable[..., Any], str]


class _PlainMapping:
    """Stands in for a dictionary subclass: instances are plain ordered dictionaries."""

    def __new__(cls, *items: Any) -> Any:
        return collections.OrderedDict(*items)


def _history_statistic(owner: Any, name: str) -> Callable[..., Any]:
    """Stands in for `getattr`, with which a pickled `HistoryBuffer` names its own methods."""
    if owner is not HistoryBuffer or name not in HISTORY_STATISTICS:
        raise pickle.UnpicklingError(f"GLOBAL builtins.getattr was not an allowed global: it asks for {name!r}")
    return getattr(HistoryBuffer, name)


def _numpy_globals() -> list[SafeGlobal]:
    rebuild_array: Any = np.zeros(0).__reduce__()[0]
    rebuild_scalar: Any = np.float64(0).__reduce__()[0]
    dtypes = {type(np.dtype(code)) for code in (*NUMERIC_TYPES, "U", "S")}
    return [
        (np.ndarray, "numpy.ndarray"),
        (np.dtype, "numpy.dtype"),
        # NumPy 2 moved these two; a file may come from either version.
        *((rebuild_array, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
        *((rebuild_scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
        *((dtype, f"{dtype.__module__}.{dtype.__qualname__}") for dtype in dtypes),
    ]


SAFE_GLOBALS: tuple[SafeGlobal, ...] = (
    *_numpy_globals(),
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
    known = set(torch.serialization.get_safe_globals())
    wanted: list[Any] = [*SAFE_GLOBALS, *extra]
    with torch.serialization.safe_globals([entry for entry in wanted if entry not in known]):
        yield
