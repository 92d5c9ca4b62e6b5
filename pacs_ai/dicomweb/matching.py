"""What a search asks for, and whether an object has it (PS3.18 Section 8.3.4, PS3.4 C.2.2.2)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pacs_ai.dicom.json_model import tag_of
from pacs_ai.dicomweb.errors import RequestRefused

Model = Mapping[str, Any]
"""A data set in the DICOM JSON model."""

_MOST = 1000
_USUAL = 100
_RANGES = frozenset({"DA", "TM", "DT"})
_NEGOTIATION = ("accept", "charset")
_NOT_DONE = ("fuzzymatching", "emptyvaluematching", "multiplevaluematching")
"""Ways of matching that a client may ask for, and a server need not know."""
_PERSON = "PN"
_UID = "UI"


@dataclass(frozen=True, slots=True)
class Query:
    """A search: wanted values by tag, which page of what is found, and further attributes.

    An attribute in a sequence has the path of tags with points between them. ``everything`` asks
    for all attributes that there are. ``not_done`` and ``unlimited`` say that more was asked for
    than is done: these ways of matching, and more than is sent at once.
    """

    wanted: Mapping[str, str] = field(default_factory=dict)
    limit: int = _USUAL
    offset: int = 0
    include: frozenset[str] = frozenset()
    everything: bool = False
    not_done: frozenset[str] = frozenset()
    unlimited: bool = False

    @classmethod
    def of(cls, parameters: Iterable[tuple[str, str]]) -> "Query":
        """Read the parameters of a request.

        Raises
        ------
        RequestRefused
            If one is no attribute, or no number.
        """
        wanted: dict[str, str] = {}
        numbers: dict[str, int] = {}
        not_done: set[str] = set()
        include: set[str] = set()
        for name, value in parameters:
            if name in ("limit", "offset"):
                numbers[name] = _number(name, value)
            elif name == "includefield":
                include |= set(value.split(","))
            elif name in _NOT_DONE:
                not_done |= {name} if value.lower() == "true" else set()
            elif name not in _NEGOTIATION:
                wanted[_tag(name)] = value
        fields = frozenset(_tag(one) for one in include - {"all", ""})
        limit = min(numbers.get("limit", _USUAL), _MOST)
        unlimited = numbers.get("limit", _MOST + 1) > _MOST
        offset = numbers.get("offset", 0)
        left_out = frozenset(not_done)
        return cls(wanted, limit, offset, fields, "all" in include, left_out, unlimited)

    def warnings(self, count: int) -> dict[str, str]:
        """Return the header that says what of the search was not done (PS3.18 Section 8.3.4).

        Parameters
        ----------
        count
            Of what was found.
        """
        said = [
            f"the parameter {name} is not supported, and was not applied"
            for name in sorted(self.not_done)
        ]
        if self.unlimited and count == self.limit:
            said.append("there are additional results that can be requested")
        return {"warning": ", ".join(f'299 pacs-ai "{one}"' for one in said)} if said else {}

    def matches(self, model: Model, *, but: Iterable[str] = ()) -> bool:
        """Tell whether a data set has all that is wanted.

        Parameters
        ----------
        but
            Tags that were compared before.
        """
        left = set(self.wanted) - set(but)
        return all(_matches(_elements(model, path), self.wanted[path]) for path in left)

    def chosen(self, model: Model, usual: Iterable[str]) -> dict[str, Any]:
        """Return the attributes that the answer has."""
        if self.everything:
            return dict(model)
        named = (path.partition(".")[0] for path in (*self.include, *self.wanted))
        tags = {*usual, *named}
        return {tag: model[tag] for tag in sorted(tags) if tag in model}


def _number(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise RequestRefused(f"{name} must be a whole number")
    return int(value)


def _tag(name: str) -> str:
    """Return the tag of an attribute, or its path if it stands in sequences."""
    tags = [tag_of(one) for one in name.split(".")]
    if not all(tags):
        raise RequestRefused("a parameter is neither an attribute nor limit, offset, includefield")
    return ".".join(tags)


def _elements(model: Model, path: str) -> list[Model]:
    tag, _, rest = path.partition(".")
    element = model.get(tag, {})
    if not rest:
        return [element]
    items = element.get("Value", []) if element.get("vr") == "SQ" else []
    return [found for item in items for found in _elements(item, rest)]


def _matches(elements: Iterable[Model], wanted: str) -> bool:
    return wanted in ("", "*", '""') or any(_has(element, wanted) for element in elements)


def _has(element: Model, wanted: str) -> bool:
    vr = str(element.get("vr", ""))
    values = [text for value in element.get("Value", []) for text in _texts(value)]
    if vr == _UID:
        return any(value in re.split(r"[,\\]", wanted) for value in values)
    if vr in _RANGES and "-" in wanted:
        first, _, last = wanted.partition("-")
        return any(first <= value and (not last or value[: len(last)] <= last) for value in values)
    flags = re.IGNORECASE if vr == _PERSON else 0
    pattern = re.compile(_pattern(wanted.rstrip()), flags | re.DOTALL)
    return any(pattern.fullmatch(value.rstrip()) for value in values)


def _pattern(wanted: str) -> str:
    parts = {"*": ".*", "?": "."}
    return "".join(parts.get(sign) or re.escape(sign) for sign in wanted)


def _texts(value: object) -> list[str]:
    """Return a value of the JSON model as text; of a person's name each of its representations."""
    if isinstance(value, dict):
        groups = [str(group) for group in value.values()]
        return [*groups, "=".join(groups)]
    return [f"{value:g}" if isinstance(value, float) else str(value)]
