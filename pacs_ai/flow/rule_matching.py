"""Which rules a study matches: conditions on its data, and on who sent an instance to which name.

The caller gives the facts: no database, no files.
"""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence

from pacs_ai.config import Operand, Rule

Facts = Mapping[str, str | list[str]]

Way = tuple[str, str]
"""How an instance came: calling and called AE title."""

SENDER_KEYS = ("CallingAET", "CalledAET")
"""Operands of ``when`` that are facts of the association, not of the data set; as in `Way`."""


def matches(when: Mapping[str, Operand], facts: Facts) -> bool:
    """Tell whether every condition of a rule holds.

    An operand is a literal or a glob (case counts). If it is a list, one entry must match. If a
    fact has several values, one of them must match. A missing fact is the empty string.
    """
    return all(holds(operand, facts.get(keyword, "")) for keyword, operand in when.items())


def holds(operand: Operand, fact: str | list[str]) -> bool:
    """Tell whether one condition holds, as `matches` has it."""
    return any(
        fnmatch.fnmatchcase(value, pattern)
        for pattern in values_of(operand)
        for value in values_of(fact)
    )


def matches_any_way(when: Mapping[str, Operand], facts: Facts, ways: Sequence[Way]) -> bool:
    """Tell whether every condition holds for one of the ways by which an instance came."""
    return any(matches(when, {**facts, **dict(zip(SENDER_KEYS, way, strict=True))}) for way in ways)


def matches_newly(rules: Iterable[Rule], way: Way, before: Sequence[Way]) -> bool:
    """Tell whether a rule matches this way, and none of the ways by which instances came before."""
    return any(
        matches_any_way(only, {}, (way,)) and not matches_any_way(only, {}, before)
        for rule in rules
        if (only := {key: rule.when[key] for key in SENDER_KEYS if key in rule.when})
    )


def values_of(one_or_many: str | Iterable[str]) -> list[str]:
    """Return the values of an operand or a fact; a missing fact has an empty one."""
    return [one_or_many] if isinstance(one_or_many, str) else list(one_or_many) or [""]
