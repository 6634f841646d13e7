"""What every benchmark reports: numbers that it measured, and numbers that follow from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class BenchmarkRecord:
    """A subclass has what was measured as fields and what follows from it as properties."""

    def as_json(self) -> dict[str, Any]:
        """All fields, then all properties, by name."""
        derived = [name for name, member in vars(type(self)).items() if isinstance(member, property)]
        return {**asdict(self), **{name: getattr(self, name) for name in derived}}
