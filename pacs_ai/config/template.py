"""The commented configuration that is shipped, with some of its values changed.

``template.toml`` is the one place of the comments. ``pacs-ai init`` writes it with a person's
answers, and ``deploy/pacs-ai.toml`` is what ``init`` makes for compose.
"""

import json
import re
import tomllib
from collections.abc import Collection, Mapping
from importlib import resources
from typing import Any

from pacs_ai.config.edit import key_of

MODEL = "demo"
"""Name of the model and of its section in the template."""

ARCHIVE = "archive"
"""Name of the only peer in the template."""

_TEMPLATE = "template.toml"
_HEADER = re.compile(r"\[+([\w.]+)\]+")
_KEY = re.compile(r"#?([a-z_0-9]+) = ")


def commented(
    values: Mapping[str, object], *, model: str = MODEL, without: Collection[str] = ()
) -> str:
    """Return the template with other values.

    Parameters
    ----------
    values
        By section and key, such as ``node.port``: text, number, truth value, list or table. Each of
        these keys is in force afterwards.
    model
        Name of the only model.
    without
        Sections that are turned into comments, such as ``peers.archive``.

    Raises
    ------
    KeyError
        If the template does not have a key of `values` or a section of `without`.
    """
    lines = _text().splitlines()
    places, sections = _places(lines)
    for name, value in values.items():
        lines[places[name]] = f"{name.rpartition('.')[2]} = {_toml(value)}"
    for section in without:
        first, end = sections[section]
        in_force = re.compile(r"(?=[\[a-z])")
        lines[first:end] = [
            in_force.sub("# ", line, count=1) if in_force.match(line) else line
            for line in lines[first:end]
        ]
    header = sections[f"models.{MODEL}"][0]
    lines[header] = f"[models.{key_of(model)}]"
    text = "\n".join(lines) + "\n"
    tomllib.loads(text)
    return text


def _text() -> str:
    return (resources.files("pacs_ai.config") / _TEMPLATE).read_text("utf-8")


def _places(lines: list[str]) -> tuple[dict[str, int], dict[str, tuple[int, int]]]:
    """Return the line of each key, and the lines of each section: first, and the one after."""
    keys: dict[str, int] = {}
    sections: dict[str, tuple[int, int]] = {}
    section = ""
    for number, line in enumerate(lines):
        if header := _HEADER.fullmatch(line):
            section = header[1]
            sections[section] = (number, number + 1)
        elif (key := _KEY.match(line)) and section:
            keys.setdefault(f"{section}.{key[1]}", number)
            sections[section] = (sections[section][0], number + 1)
    return keys, sections


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key_of(str(key))} = {_toml(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    shown: Any = list(value) if isinstance(value, tuple) else value
    return json.dumps(shown, ensure_ascii=False)
