"""Which rules a study matches: conditions on its data, and on who sent an instance to which name.

Pure: the facts come from whoever asks.
"""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence

from pacs_ai.config import Operand, Rule

Facts = Mapping[str, str | list[str]]

Way = tuple[str, str]
"""By which way an instance came: calling and called AE title."""

SENDER_KEYS = ("CallingAET", "CalledAET")
"""Operands of ``when`` that are facts of the association, not of the data set; as in `Way`."""


def matches(when: Mapping[str, Operand], facts: Facts) -> bool:
    """Tell whether every condition of a rule holds.

    An operand is a literal or a glob (case counts); of a list one must match. Of a fact with
    several values one must match. A missing fact is the empty string.
    """
    return all(
        any(
            fnmatch.fnmatchcase(value, pattern)
            for pattern in _values(operand)
            for value in _values(facts.get(keyword, ""))
        )
        for keyword, operand in when.items()
    )


def matches_any_way(when: Mapping[str, Operand], facts: Facts, ways: Sequence[Way]) -> bool:
    """Tell whether every condition holds for an instance by one of the ways it came."""
    return any(matches(when, {**facts, **dict(zip(SENDER_KEYS, way, strict=True))}) for way in ways)


def asks_anew(rules: Iterable[Rule], way: Way, before: Sequence[Way]) -> bool:
    """Tell whether some rule asks for a way, and for none of those that came before."""
    return any(
        matches_any_way(only, {}, (way,)) and not matches_any_way(only, {}, before)
        for rule in rules
        if (only := {key: rule.when[key] for key in SENDER_KEYS if key in rule.when})
    )


def _values(one_or_many: str | Iterable[str]) -> list[str]:
    return [one_or_many] if isinstance(one_or_many, str) else list(one_or_many) or [""]
