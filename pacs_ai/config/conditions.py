"""The language of conditions that ``when`` of a rule is written in: read into a tree, and checked.

A condition is a TOML table. Each key is a DICOM keyword, a path of keywords into the items of
sequences, or one of `SENDER_KEYS`; its value says what the attribute must be. All entries of a
table must hold. ``all`` and ``any`` take a list of tables, ``not`` takes one table.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

SENDER_KEYS = ("CallingAET", "CalledAET", "CallingAddress")
"""Keys that are facts of the association and not of the data set: who calls whom, from where."""

PLAIN_KEYS = frozenset({"Modality", "CallingAET", "CalledAET", "CallingAddress"})
"""Keys whose texts may be shown to anybody: those of others may name a patient."""

HIDDEN = "***"
FAULTY = "condition"
"""Kind of the error that pydantic reports; its context has ``faults``: place and text of each."""

_MOST_NESTED = 16
_FORMS = (
    "must be a text or a list of texts, numbers in quotation marks; or a range such as"
    " {min = 1, max = 3}; or {present = true}"
)


@dataclass(frozen=True, slots=True)
class OneOf:
    """One value of the attribute is one of these texts; ``* ? [..]`` stand for characters."""

    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """One value of the attribute is a number from ``least`` to ``most``, both included."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Present:
    """The attribute is there and not empty (``wanted``), or it is not."""

    wanted: bool


Test = OneOf | Between | Present


@dataclass(frozen=True, slots=True)
class Clause:
    """A condition on one attribute; ``place`` says where it stands, as ``any[1].Modality``."""

    place: str
    key: str
    test: Test


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions that are combined; ``kind`` is ``all``, ``any`` or ``not`` (not all of them)."""

    place: str
    kind: str
    parts: "tuple[Node, ...]"


Node: TypeAlias = Clause | Group


def tree(when: Mapping[str, Any]) -> Group:
    """Return the tree of a condition that was checked.

    Raises
    ------
    PydanticCustomError
        If it is not in order.
    """
    faults: list[tuple[str, str]] = []
    root = _table("", "all", when, faults)
    if faults:
        raise PydanticCustomError(FAULTY, "is not in order", {"faults": faults})
    return root


def clauses(node: Node) -> Iterator[Clause]:
    """Return all conditions on attributes below a node, in the order of the file."""
    if isinstance(node, Clause):
        yield node
        return
    for part in node.parts:
        yield from clauses(part)


def _checked(when: dict[str, Any]) -> dict[str, Any]:
    tree(when)
    return when


When = Annotated[dict[str, Any], AfterValidator(_checked)]
"""A field that holds a condition."""


def _table(
    place: str, kind: str, given: Mapping[str, Any], faults: list[tuple[str, str]], depth: int = 0
) -> Group:
    """Read a table of conditions; what is wrong is added to `faults`."""
    parts: list[Node] = []
    if depth > _MOST_NESTED:
        faults.append((place, f"is nested more than {_MOST_NESTED} times"))
        given = {}
    for key, value in given.items():
        where = f"{place}.{key}" if place else key
        if key in ("all", "any"):
            parts.append(_list(where, key, value, faults, depth))
        elif key != "not":
            parts += _entry(where, key, value, faults)
        elif isinstance(value, Mapping) and value:
            parts.append(_table(where, "not", value, faults, depth + 1))
        else:
            faults.append((where, "must be a table of conditions: not = {Modality = 'SR'}"))
    return Group(place, kind, tuple(parts))


def _list(place: str, kind: str, value: object, faults: list[tuple[str, str]], depth: int) -> Group:
    tables = value if isinstance(value, list | tuple) else ()
    if not tables or not all(isinstance(one, Mapping) and one for one in tables):
        text = f"must be a list of tables of conditions: {kind} = [{{...}}, {{...}}]"
        faults.append((place, text))
        return Group(place, kind, ())
    numbered = [
        _table(f"{place}[{number}]", "all", one, faults, depth + 1)
        for number, one in enumerate(tables, start=1)
    ]
    return Group(place, kind, tuple(numbered))


def _entry(place: str, key: str, value: object, faults: list[tuple[str, str]]) -> list[Node]:
    """Read the condition on one attribute, or on those that a dotted key has nested."""
    if isinstance(value, Mapping) and value and _is_path(value):
        inner = [
            _entry(f"{place}.{one}", f"{key}.{one}", part, faults) for one, part in value.items()
        ]
        return [node for nodes in inner for node in nodes]
    try:
        return [Clause(place, key, _test(value))]
    except ValueError as error:
        faults.append((place, str(error)))
        return []


def _is_path(value: Mapping[str, Any]) -> bool:
    """Tell whether a table came of ``Sequence.Attribute = ...``: TOML nests at each dot."""
    return all(key[:1].isupper() for key in value)


def _test(value: object) -> Test:
    if isinstance(value, str):
        return OneOf((value,))
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError("must have at least one value: an empty list matches nothing")
        if all(isinstance(one, str) for one in value):
            return OneOf(tuple(value))
    if isinstance(value, Mapping):
        return _table_test(value)
    raise ValueError(_FORMS)


def _table_test(value: Mapping[str, Any]) -> Test:
    if set(value) == {"present"} and isinstance(value["present"], bool):
        return Present(value["present"])
    if value and set(value) <= {"min", "max"}:
        least, most = value.get("min", -math.inf), value.get("max", math.inf)
        numbers = all(
            isinstance(one, int | float) and not isinstance(one, bool) for one in (least, most)
        )
        if not numbers:
            raise ValueError("min and max must be numbers, without quotation marks")
        if not least <= most:
            raise ValueError("min is more than max: no number is in this range")
        return Between(float(least), float(most))
    raise ValueError(_FORMS)


def wanted_of(test: Test) -> tuple[str, ...]:
    """Return what a condition asks for, in words."""
    if isinstance(test, OneOf):
        return test.patterns
    if isinstance(test, Present):
        return ("there" if test.wanted else "not there",)
    if test.least == -math.inf:
        return (f"at most {test.most:g}",)
    return (
        f"at least {test.least:g}" if test.most == math.inf else f"{test.least:g} to {test.most:g}",
    )


def in_words(
    when: Mapping[str, Any], hide: Callable[[Clause], bool] = lambda _: False
) -> list[str]:
    """Return a text for each entry of a condition.

    Parameters
    ----------
    hide
        Says whose texts are not to be shown.
    """
    return [_words(part, hide) for part in tree(when).parts]


def _words(node: Node, hide: Callable[[Clause], bool]) -> str:
    if isinstance(node, Clause):
        wanted = (HIDDEN,) if hide(node) else wanted_of(node.test)
        sign = "=" if isinstance(node.test, OneOf) else "is"
        return f"{node.key} {sign} {' or '.join(wanted)}"
    parts = [_words(part, hide) for part in node.parts]
    joined = ("; or " if node.kind == "any" else " and ").join(parts)
    if node.kind == "all":
        return joined
    return f"{'not' if node.kind == 'not' else 'one of'} ({joined})"


def may_name_a_patient(clause: Clause) -> bool:
    """Tell whether the texts of a condition may name a patient."""
    return clause.key not in PLAIN_KEYS and isinstance(clause.test, OneOf)


def redacted(when: Mapping[str, Any]) -> dict[str, Any]:
    """Return a condition in the form of the file, without texts that may name a patient."""
    return {key: _redacted(key, value) for key, value in when.items()}


def _redacted(key: str, value: object) -> object:
    if key in ("all", "any") and isinstance(value, Sequence):
        return [redacted(one) for one in value]
    if isinstance(value, Mapping):
        return redacted(value) if key == "not" or _is_path(value) else dict(value)
    if key not in PLAIN_KEYS:
        return HIDDEN
    return (
        value if isinstance(value, str) else list(value) if isinstance(value, Sequence) else value
    )
