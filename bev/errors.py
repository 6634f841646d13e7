"""The error of all rooms."""

from __future__ import annotations


class InputError(ValueError):
    """What was given cannot be used; the message says what, where and, if that helps, what to do.

    The tools print it in one line. Errors that callers may want to tell apart are classes of their own, in their rooms.
    """
