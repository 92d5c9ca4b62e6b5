"""Which conditions of rules hold: on a data set, and on who sent it to which name.

The caller gives the facts: no database, no files.
"""

import fnmatch
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from pacs_ai.config import Rule
from pacs_ai.config.conditions import SENDER_KEYS, Between, Clause, Group, Node, Present, Test, tree

Facts = Mapping[str, str | list[str]]
"""Values by keyword or path, as `pacs_ai.dicom.header.read_facts` reads them."""

Way: TypeAlias = tuple[str, ...]
"""How an instance came: calling and called AE title, and the network address if it is known; in
the order of `SENDER_KEYS`."""

ADDRESS = SENDER_KEYS[2]
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12, "Y": 1}


def matches(when: Mapping[str, Any], facts: Facts) -> bool:
    """Tell whether a condition in the form of the configuration holds.

    A fact that is missing is the empty text.
    """
    return satisfied(tree(when), facts)


def satisfied(node: Node, facts: Facts) -> bool:
    """Tell whether a condition that was read holds."""
    return bool(_verdict(node, lambda clause: holds(clause, facts)))


def holds(clause: Clause, facts: Facts) -> bool:
    """Tell whether a condition on one attribute holds: one of its values is what is wanted."""
    values = values_of(facts.get(clause.key, ""))
    if clause.key == ADDRESS:
        return any(_is_at(value, clause.test) for value in values)
    return _holds(clause.test, values)


def _holds(test: Test, values: Sequence[str]) -> bool:
    if isinstance(test, Present):
        return any(value.strip() for value in values) is test.wanted
    if isinstance(test, Between):
        numbers = [number for value in values if (number := number_of(value)) is not None]
        return any(test.least <= number <= test.most for number in numbers)
    return any(fnmatch.fnmatchcase(value, pattern) for pattern in test.patterns for value in values)


def _is_at(address: str, test: Test) -> bool:
    """Compare an address with literals, patterns and networks (``10.1.0.0/16``)."""
    if isinstance(test, Present | Between):
        return _holds(test, [address])
    networks = [ipaddress.ip_network(one, strict=False) for one in test.patterns if "/" in one]
    try:
        if any(ipaddress.ip_address(address) in network for network in networks):
            return True
    except ValueError:  # it is not known
        pass
    return _holds(test, [address])


def number_of(value: str) -> float | None:
    """Return the number that a value states, years of an age (AS); None if it states none."""
    if found := _AGE.fullmatch(value.strip()):
        return int(found[1]) / _PER_YEAR[found[2]]
    try:
        return float(value)
    except ValueError:
        return None


def matches_any_way(condition: Group, facts: Facts, ways: Iterable[Way]) -> bool:
    """Tell whether a condition holds for one of the ways by which an instance came."""
    return any(satisfied(condition, with_way(facts, way)) for way in ways)


def with_way(facts: Facts, way: Way) -> Facts:
    """Return the facts of a data set together with those of the association."""
    return {**facts, **dict(zip(SENDER_KEYS, way, strict=False))}


def matches_newly(rules: Iterable[Rule], way: Way, before: Sequence[Way]) -> bool:
    """Tell whether a way may let a rule match that did not match by the ways before.

    The data set is the same as before, and counts as not known.
    """
    return any(
        _by_way(rule.condition, way) > max(_by_way(rule.condition, one) for one in before)
        for rule in rules
    )


def _by_way(condition: Group, way: Way) -> int:
    """Return 0 if the way alone excludes a match, 2 if it alone gives one, 1 otherwise."""
    facts = with_way({}, way)
    verdict = _verdict(
        condition, lambda clause: holds(clause, facts) if clause.key in SENDER_KEYS else None
    )
    return 1 if verdict is None else 2 * verdict


def _verdict(node: Node, decide: Callable[[Clause], bool | None]) -> bool | None:
    """Combine what is decided of the clauses; None if that leaves it open."""
    if isinstance(node, Clause):
        return decide(node)
    found = [_verdict(part, decide) for part in node.parts]
    decisive = node.kind == "any"
    verdict = decisive if decisive in found else None if None in found else not decisive
    if node.kind == "not" and verdict is not None:
        return not verdict
    return verdict


def values_of(fact: str | Iterable[str]) -> list[str]:
    """Return the values of a fact; a missing one has an empty value."""
    return [fact] if isinstance(fact, str) else list(fact) or [""]
