"""What a rule is. The first sentence of its function's docstring says what it asks for."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pacs_ai.air.objects import Kind, ResultObject, ResultSet


class Level(StrEnum):
    """Whether the standard demands something, or it only helps those who read the results."""

    REQUIRED = "required"
    ADVISED = "advised"


ObjectCheck = Callable[[ResultObject], Iterator[str]]
SetCheck = Callable[[ResultSet], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Parameters
    ----------
    name
        Stable name.
    level
        What a fault means.
    source
        Section of the standard.
    says
        What the rule asks for: a sentence without its full stop.
    """

    name: str
    level: Level
    source: str
    says: str


@dataclass(frozen=True, slots=True)
class ObjectRule(Rule):
    """A rule for single objects.

    Parameters
    ----------
    kinds
        Objects that it is for.
    check
        Says what is wrong with one; nothing where it is right.
    applies
        Tells whether the object has what the rule is about.
    """

    kinds: frozenset[Kind]
    check: ObjectCheck
    applies: Callable[[ResultObject], bool]


@dataclass(frozen=True, slots=True)
class SetRule(Rule):
    """A rule for the results of a study together; ``check`` and ``applies`` as of an object."""

    check: SetCheck
    applies: Callable[[ResultSet], bool]


def object_rule(
    level: Level,
    *kinds: Kind,
    source: str,
    when: Callable[[ResultObject], bool] = lambda _: True,
) -> Callable[[ObjectCheck], ObjectRule]:
    """Make a rule of a function that looks at one object; of all kinds if none are given."""

    def make(check: ObjectCheck) -> ObjectRule:
        name, says = _named(check)
        return ObjectRule(name, level, source, says, frozenset(kinds or Kind), check, when)

    return make


def set_rule(
    level: Level, *, source: str, when: Callable[[ResultSet], bool] = lambda _: True
) -> Callable[[SetCheck], SetRule]:
    """Make a rule of a function that looks at the results of a study."""

    def make(check: SetCheck) -> SetRule:
        name, says = _named(check)
        return SetRule(name, level, source, says, check, when)

    return make


def _named(check: ObjectCheck | SetCheck) -> tuple[str, str]:
    """Name and sentence of a rule's function."""
    said = (inspect.getdoc(check) or "").partition("\n\n")[0]
    return check.__name__.replace("_", "-"), " ".join(said.split()).removesuffix(".")
