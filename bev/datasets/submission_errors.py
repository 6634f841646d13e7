"""How the files for challenge servers are refused."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from bev.errors import InputError

_SHOWN = 5


class SubmissionError(InputError):
    """A submission that the server would refuse or misread; the message lists what is wrong and where."""


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
