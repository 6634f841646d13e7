"""Lists of lists and of strings as flat arrays, which worker processes share without copying."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def firsts(counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """(n + 1,) int64 first row of each of n groups in a flat array, and the end."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


def byte_strings(values: Iterable[str]) -> np.ndarray:
    """(n,) UTF-8 bytes of fixed length: compact, and no Python objects whose reference counts would unshare pages."""
    return np.array([value.encode() for value in values], dtype=bytes)
