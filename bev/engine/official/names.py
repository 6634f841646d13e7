"""Names of parameters in two vocabularies, as one list of pairs that is read in both directions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NUMBER = r"\d+"
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class NamePair:
    """One kind of parameter under both names.

    Attributes:
        own: Template such as "encoder.layers.{i}.norms.{rest}".
        official: Template with the same fields.
        fields: Regular expressions of the fields; those not listed are numbers.
    """

    own: str
    official: str
    fields: Mapping[str, str]

    def to_own(self, official: str) -> str | None:
        """Our name of an official key; None where this pair is not about it."""
        return self._translate(official, self.official, self.own)

    def to_official(self, own: str) -> str | None:
        """The official name of one of our keys; None where this pair is not about it."""
        return self._translate(own, self.own, self.official)

    def _translate(self, key: str, source: str, target: str) -> str | None:
        matched = self._pattern(source).fullmatch(key)
        return None if matched is None else target.format(**matched.groupdict())

    def _pattern(self, template: str) -> re.Pattern[str]:
        pattern = ""
        for position, part in enumerate(_FIELD.split(template)):  # literals and names of fields, by turns
            if position % 2:
                pattern += f"(?P<{part}>{self.fields.get(part, NUMBER)})"
            else:
                pattern += re.escape(part)
        return re.compile(pattern)


class NameMap:
    """Pairs that are tried in order; the first one that fits a key decides."""

    def __init__(self, pairs: Sequence[tuple[str, str]], fields: Mapping[str, str]) -> None:
        """Take (own, official) templates and the expressions of their fields."""
        self.pairs = [NamePair(own, official, fields) for own, official in pairs]

    def to_own(self, official: str) -> str | None:
        """Our name of an official key; None where it has none."""
        return next((name for pair in self.pairs if (name := pair.to_own(official)) is not None), None)

    def to_official(self, own: str) -> str | None:
        """The official name of one of our keys; None where it has none."""
        return next((name for pair in self.pairs if (name := pair.to_official(own)) is not None), None)


@dataclass(frozen=True)
class Vocabulary:
    """What a family of official models calls things.

    Attributes:
        names: Counterparts of our parameters; the first map that knows a key decides.
        ignored: Beginnings of official keys that have no place here, and why.
    """

    names: Sequence[NameMap]
    ignored: Mapping[str, str]

    def to_own(self, official: str) -> str | None:
        """Our name of an official key; None where it has none."""
        return next((name for names in self.names if (name := names.to_own(official)) is not None), None)

    def to_official(self, own: str) -> str | None:
        """The official name of one of our keys; None where it has none."""
        return self.names[0].to_official(own)

    def reason_to_ignore(self, official: str) -> str | None:
        """Why an official key has no place here; None where it has one, or is unknown."""
        return next((why for start, why in self.ignored.items() if official.startswith(start)), None)
