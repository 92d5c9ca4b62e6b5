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
_PERSON = "PN"
_UID = "UI"


@dataclass(frozen=True, slots=True)
class Query:
    """A search: wanted values by tag, which page of what is found, and further attributes.

    ``everything`` asks for all attributes that there are. Fuzzy matching is not done: names match
    as without it. ``fuzzy`` and ``unlimited`` say that more was asked for than is done.
    """

    wanted: Mapping[str, str] = field(default_factory=dict)
    limit: int = _USUAL
    offset: int = 0
    include: frozenset[str] = frozenset()
    everything: bool = False
    fuzzy: bool = False
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
        fuzzy = False
        include: set[str] = set()
        for name, value in parameters:
            if name in ("limit", "offset"):
                numbers[name] = _number(name, value)
            elif name == "includefield":
                include |= set(value.split(","))
            elif name == "fuzzymatching":
                fuzzy = value.lower() == "true"
            elif name not in _NEGOTIATION:
                wanted[_tag(name)] = value
        fields = frozenset(_tag(one) for one in include - {"all", ""})
        limit = min(numbers.get("limit", _USUAL), _MOST)
        unlimited = numbers.get("limit", _MOST + 1) > _MOST
        offset = numbers.get("offset", 0)
        return cls(wanted, limit, offset, fields, "all" in include, fuzzy, unlimited)

    def warnings(self, count: int) -> dict[str, str]:
        """Return the header that says what of the search was not done (PS3.18 Section 8.3.4).

        Parameters
        ----------
        count
            Of what was found.
        """
        said = []
        if self.fuzzy:
            said.append("fuzzymatching is not supported: names were matched literally")
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
        return all(_matches(model.get(tag, {}), self.wanted[tag]) for tag in left)

    def chosen(self, model: Model, usual: Iterable[str]) -> dict[str, Any]:
        """Return the attributes that the answer has."""
        if self.everything:
            return dict(model)
        tags = {*usual, *self.include, *self.wanted}
        return {tag: model[tag] for tag in sorted(tags) if tag in model}


def _number(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise RequestRefused(f"{name} must be a whole number")
    return int(value)


def _tag(name: str) -> str:
    tag = tag_of(name)
    if not tag:
        raise RequestRefused("a parameter is neither an attribute nor limit, offset, includefield")
    return tag


def _matches(element: Model, wanted: str) -> bool:
    if wanted in ("", "*", '""'):
        return True
    vr = str(element.get("vr", ""))
    values = [_text(value) for value in element.get("Value", [])]
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


def _text(value: object) -> str:
    """Return a value of the JSON model as text; of a person's name the first representation."""
    if isinstance(value, dict):
        return str(next(iter(value.values()), ""))
    return f"{value:g}" if isinstance(value, float) else str(value)
