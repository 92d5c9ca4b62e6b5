"""The list of the statements that the node makes."""

import re
from dataclasses import dataclass, field
from typing import Any

_PLAIN_INSERT = re.compile(r"INSERT INTO (?!.*\bSELECT\b)", re.DOTALL)
_SET = re.compile(r"\bSET (?:(?!\bSELECT\b|\bWHERE\b).)*(?= WHERE )", re.DOTALL)


@dataclass
class Statement:
    """One statement in the words of each database that it is made for, with values.

    Parameters
    ----------
    texts
        By the name of the database; values are ``:name``.
    values
        One value of each name, by the name of the database.
    places
        The functions that make it.
    """

    texts: dict[str, str]
    values: dict[str, dict[str, Any]]
    places: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What distinguishes it from others: not which columns it sets."""
        text = next(iter(self.texts.values()))
        return _SET.sub("SET ...", re.sub(r":\w+", ":", text))


class Statements:
    """All of them."""

    def __init__(self) -> None:
        self.by_key: dict[str, Statement] = {}
        self.inserts: set[str] = set()

    def add(self, place: str, statement: Statement) -> None:
        """Add one, unless it is known; a row that is added needs no plan, only its place."""
        texts = {name: " ".join(text.split()) for name, text in statement.texts.items()}
        if all(_PLAIN_INSERT.match(text) for text in texts.values()):
            self.inserts.add(place)
            return
        known = self.by_key.setdefault(Statement(texts, {}).key, Statement(texts, statement.values))
        known.places = sorted({*known.places, place})
