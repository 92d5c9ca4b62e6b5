"""Read the classes of a foreign network: from a list, or a text, JSON or CSV file."""

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from pacs_ai.errors import ConfigError
from pacs_ai.model.manifest import ClassEntry

SCHEME = "99IMPORTED"
"""Designator of the codes that are made for names without a code."""

_NO_FINDINGS = frozenset(
    {"no finding", "no findings", "normal", "negative", "healthy", "background", "none"}
)
_CODE_LETTERS = 16
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def read_labels(given: str, negative: Sequence[str]) -> list[ClassEntry]:
    """Read the classes, in the order of the outputs.

    Parameters
    ----------
    given
        A file (``.txt`` with a name on each line, ``.csv`` with a header, ``.json``), or names
        separated by commas.
    negative
        Names of classes that are no findings, besides those of `_NO_FINDINGS`.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a class is not in order.
    """
    rows = list(_rows(given))
    names = [str(row.get("name", "")) for row in rows]
    if unknown := sorted(set(negative) - set(names)):
        raise ConfigError(f"--negative: no class {', '.join(unknown)} among {', '.join(names)}")
    if len(set(names)) < len(names) or not names:
        raise ConfigError("--labels: names must be different, and at least one is needed")
    known: set[str] = set()
    found = []
    for row, name in zip(rows, names, strict=True):
        try:
            found.append(ClassEntry.model_validate(_entry(row, name, negative, known)))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            key = ".".join(map(str, first["loc"]))
            raise ConfigError(f"--labels: class {name!r}: {key}: {first['msg']}") from error
    return found


def _rows(given: str) -> Iterable[Mapping[str, object]]:
    path = Path(given)
    if path.suffix.lower() not in (".txt", ".csv", ".json"):
        return [{"name": name.strip()} for name in given.split(",") if name.strip()]
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            return _from_json(json.loads(text))
        if path.suffix.lower() == ".csv":
            return list(csv.DictReader(text.splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"--labels: {path} cannot be read ({type(error).__name__})") from error
    return [{"name": line.strip()} for line in text.splitlines() if line.strip()]


def _from_json(said: object) -> list[Mapping[str, object]]:
    """Take a list of names or of objects, or names by the number of their output."""
    if isinstance(said, dict) and all(str(key).isdigit() for key in said):
        said = [said[key] for key in sorted(said, key=int)]
    if not isinstance(said, list) or not all(isinstance(one, str | dict) for one in said):
        raise ConfigError("--labels: the JSON file must hold a list of names or of objects")
    return [{"name": one} if isinstance(one, str) else one for one in said]


def _entry(
    row: Mapping[str, object], name: str, negative: Sequence[str], known: set[str]
) -> dict[str, object]:
    """Make the entry of a class, as ``model.toml`` has it."""
    said = {key: value for key, value in row.items() if value not in (None, "") and key}
    code = said.pop("code", None)
    if isinstance(code, dict):
        coded: Mapping[str, object] = code
    elif code is not None:
        coded = {
            "value": str(code),
            "scheme": said.pop("scheme", "SCT"),
            "meaning": said.pop("meaning", name)[:64],  # type: ignore[index]
        }
    else:
        coded = {"value": _made_up(name, known), "scheme": SCHEME, "meaning": name[:64]}
    known.add(str(coded.get("value", "")))
    positive = said.pop("positive", name.strip().lower() not in _NO_FINDINGS)
    return {
        "threshold": 0.5,
        **said,
        "name": name,
        "positive": _truth(positive) and name not in negative,
        "code": coded,
    }


def _truth(value: object) -> object:
    text = str(value).strip().lower()
    return True if text in _TRUE else False if text in _FALSE else value


def _made_up(name: str, known: set[str]) -> str:
    """Make a code value of a name: its letters, and a number if it is taken."""
    value = re.sub(r"[^A-Z0-9]", "", name.upper())[:_CODE_LETTERS] or "CLASS"
    number = 1
    while value in known:
        number += 1
        value = f"{value[: _CODE_LETTERS - len(str(number))]}{number}"
    return value
