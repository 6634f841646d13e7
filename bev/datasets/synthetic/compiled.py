"""How this package compiles its inner loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

Function = TypeVar("Function", bound=Callable)

_FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}  # not "ninf": depths are infinite in the sky


def jit(function: Function) -> Function:
    """Compiles a function with numba, keeping the machine code on disk where a folder for it can be written.

    Args:
        function: A function of scalars and NumPy arrays only.

    Returns:
        The compiled function; it is translated at its first call.
    """
    try:
        return numba.njit(cache=True, fastmath=_FASTMATH, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # numba found no folder that it may write to
        return numba.njit(fastmath=_FASTMATH, nogil=True, error_model="numpy")(function)
