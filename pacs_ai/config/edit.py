"""Change the text of a configuration file: one section more, or some less.

The rest of the file, comments included, stays as it is. What a change means is checked by reading
both texts: nothing but the sections concerned may differ.
"""

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pacs_ai.config.schema import DEFAULT_MODELS
from pacs_ai.errors import ConfigError

_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?")
_PART = re.compile(r'"([^"]*)"|\'([^\']*)\'|([^.\s"\']+)')
"""A part of the name of a section: in quotation marks it may have dots."""


def with_model(text: str, name: str, bundle: str, sha256: str) -> str:
    """Add ``[models.NAME]`` at the end.

    A file without models has the one of `Config`, and rules may use it. So that they still can, it
    is written out.

    Raises
    ------
    ConfigError
        If the file has the model already, or cannot be changed safely.
    """
    wanted = tomllib.loads(text)
    models = wanted.setdefault("models", {})
    if name in models:
        raise ConfigError(f"the configuration has a model {name!r} already")
    added = (
        {} if models else {key: {"bundle": entry.bundle} for key, entry in DEFAULT_MODELS.items()}
    )
    added[name] = {"bundle": bundle, "sha256": sha256}
    models |= added
    sections = [f"[models.{key_of(key)}]\n{_lines(entry)}" for key, entry in added.items()]
    return _checked("\n\n".join([text.rstrip(), *sections]) + "\n", wanted)


def without_model(text: str, name: str, rules: Collection[str]) -> str:
    """Remove ``[models.NAME]`` and the rules of these names.

    Raises
    ------
    ConfigError
        If the file cannot be changed safely.
    """
    wanted = tomllib.loads(text)
    wanted.get("models", {}).pop(name, None)
    kept = [rule for rule in wanted.get("rules", ()) if rule.get("name") not in rules]
    if "rules" in wanted:
        wanted["rules"] = kept
    lines = text.splitlines(keepends=True)
    number = -1
    cut: set[int] = set()
    given = tomllib.loads(text).get("rules", [])
    for path, first, end in _sections(lines):
        number += path == ["rules"]
        of_rule = path[0] == "rules" and given[number].get("name") in rules
        if of_rule or path[:2] == ["models", name]:
            cut |= set(range(first, end))
    changed = "".join(line for index, line in enumerate(lines) if index not in cut)
    if not kept:
        wanted.pop("rules", None)
    if not wanted.get("models", True):
        wanted.pop("models")
    return _checked(changed, wanted)


def _sections(lines: list[str]) -> Iterator[tuple[list[str], int, int]]:
    """List the sections: path, first line, and the line after the last of its keys."""
    heads = [(n, m[1]) for n, line in enumerate(lines) if (m := _HEADER.fullmatch(line.rstrip()))]
    ends = [*(n for n, _ in heads[1:]), len(lines)]
    for (first, title), after in zip(heads, ends, strict=False):
        end = after
        while end > first + 1 and lines[end - 1].strip()[:1] in ("", "#"):
            end -= 1
        path = ["".join(part) for part in _PART.findall(title)]
        yield path, first, end


def _checked(text: str, wanted: dict[str, Any]) -> str:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        found = {}
    if found != wanted:
        raise ConfigError("the configuration file cannot be changed safely: change it by hand")
    return text


def _lines(values: Mapping[str, str]) -> str:
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())


def key_of(name: str) -> str:
    """Return how TOML writes a name as a key: in quotation marks if it needs them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)
