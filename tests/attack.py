"""What a hostile file holds."""

from __future__ import annotations


class Attack:
    """Pickles itself as a call, which happens when it is unpickled freely."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call
