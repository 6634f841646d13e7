"""How inner loops that NumPy cannot express are compiled, and spread over threads."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import numpy as np

PARTS_PER_THREAD = 4
"""Parts of a job differ in their work: with several per thread, all threads end at about the same time."""

_FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}  # not "ninf": depths are infinite in the sky


@functools.cache
def _source_digest(folder: Path) -> str:
    """Digest of all modules of a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def jit(function: Callable) -> Callable:
    """Compiles a function with numba, keeping the machine code on disk where a folder for it can be written.

    numba renews its files when the function's own module changes, but not when a constant or function that it imports
    does. The digest of all modules beside the function's own, in its name and so in that of the file, makes up for
    that: compiled functions call only those of their own folder.

    Args:
        function: A function of scalars, NumPy arrays and named tuples of them.

    Returns:
        The compiled function; it is translated at its first call.
    """
    folder = Path(function.__code__.co_filename).parent
    function.__qualname__ = f"{function.__qualname__}_{_source_digest(folder)}"
    options: dict[str, Any] = {"fastmath": _FASTMATH, "nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder that it may write to
        return numba.njit(**options)(function)


def in_parallel(run: Callable[[slice], object], count: int, threads: int | None = None) -> None:
    """Calls a function that releases the interpreter, as compiled ones do, for all parts of a range.

    Args:
        run: Takes a part of `range(count)`.
        count: Length of the range.
        threads: As many calls run at once; the number of the processor's cores by default.
    """
    threads = threads or os.cpu_count() or 1
    ends = np.linspace(0, count, threads * PARTS_PER_THREAD + 1).astype(int)
    parts = [slice(int(first), int(end)) for first, end in itertools.pairwise(ends) if first < end]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, parts))
