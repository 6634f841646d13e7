"""How the files for challenge servers are refused."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice
from numbers import Real
from typing import Any, TypeGuard

from bev.errors import InputError

_SHOWN = 5


class SubmissionError(InputError):
    """A submission that the server would refuse or misread; the message lists what is wrong and where."""


def is_finite(value: Any) -> TypeGuard[float]:
    """Whether a value is a number, and neither NaN, infinite nor beyond what floats hold."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def refuse(problems: Iterable[str], verdict: str) -> None:
    """Raises an error if there are problems.

    Args:
        problems: What is wrong and where; no more of them are asked for than are shown.
        verdict: What the error says before it lists the first of them.

    Raises:
        SubmissionError: There is at least one.
    """
    listed = list(islice(problems, _SHOWN + 1))
    if len(listed) > _SHOWN:
        listed[_SHOWN] = "..."
    if listed:
        raise SubmissionError("\n  ".join([f"{verdict}:", *listed]))
