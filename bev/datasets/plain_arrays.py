"""Arrays in pickles from strangers: numbers and texts, with nothing in their types that could lead out of their bytes.

NumPy's own functions can't be let loose on such a file: `numpy.ndarray` makes an array of Python objects of any bytes,
and a pickled `numpy.dtype` may lie about what it describes. Both let a file forge objects, and with them run code.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

NUMERIC_TYPES = "?bBhHiIlLqQefdFD"  # NumPy's character codes
PLAIN_KINDS = "biufcSU"

_scalar: Any = np.float64(0).__reduce__()[0]


class ArrayClass:
    """Stands in for `numpy.ndarray`, which pickles name and never call."""


ARRAY_CLASS = ArrayClass()


class ArrayGuard:
    """Stands in for the parts of NumPy that pickled arrays ask for, during one reading.

    Attributes:
        parts: What is given for each name: `ndarray`, `dtype`, `_reconstruct`, `scalar` and `_frombuffer`.
    """

    def __init__(self) -> None:
        self._made: list[np.ndarray] = []
        self.parts: dict[str, Any] = {
            "ndarray": ARRAY_CLASS,
            "dtype": self._dtype,
            "_reconstruct": self._reconstruct,
            "scalar": self._scalar,
            "_frombuffer": self._frombuffer,
        }

    def check(self) -> None:
        """Check the arrays that were made, once all are filled and before any of them is used.

        Raises:
            pickle.UnpicklingError: One has a type that is not what it says.
        """
        for dtype in {id(array.dtype): array.dtype for array in self._made}.values():
            _check(dtype)
        self._made.clear()

    def _dtype(self, name: str, align: bool = False, copy: bool = False) -> np.dtype:
        if not isinstance(name, str):
            raise pickle.UnpicklingError("it holds an array type that is no number or text")
        dtype = np.dtype(name)
        _check(dtype)
        return np.dtype(dtype, copy=True)

    def _reconstruct(self, kind: ArrayClass, shape: Any, code: Any) -> np.ndarray:
        """An empty array, to be filled."""
        if kind is not ARRAY_CLASS:
            raise pickle.UnpicklingError("it holds an array of another class than numpy.ndarray")
        array = np.zeros(0, np.int8)
        self._made.append(array)
        return array

    def _scalar(self, dtype: np.dtype, data: bytes) -> Any:
        _check(dtype)
        return _scalar(dtype, data)

    def _frombuffer(self, data: Any, dtype: np.dtype, shape: Any, order: str) -> np.ndarray:
        _check(dtype)
        return np.frombuffer(data, dtype).reshape(shape, order=order)  # type: ignore[call-overload]


def _check(dtype: Any) -> None:
    """Raise an error unless this is a type of numbers or texts, in order."""
    if not isinstance(dtype, np.dtype) or dtype.kind not in PLAIN_KINDS or not _is_honest(dtype):
        raise pickle.UnpicklingError(f"it holds an array of {dtype!s:.40}, but may hold numbers and texts only")


def _is_honest(dtype: np.dtype) -> bool:
    """Whether a type has all that its short name says, and nothing else."""
    named = np.dtype(dtype.str)
    return (
        dtype == named
        and dtype.itemsize == named.itemsize
        and dtype.flags == named.flags
        and dtype.names is None
        and dtype.subdtype is None
    )
