"""Write values as TOML, by tomli-w; the standard library only reads TOML."""

from collections.abc import Mapping
from datetime import date, time
from pathlib import Path

import tomli_w

from pacs_ai.errors import ConfigError


def dumps(values: Mapping[str, object]) -> str:
    """Write nested sections as TOML.

    Parameters
    ----------
    values
        Text, numbers (also infinity and not a number), booleans, dates and times, paths (written as
        text), lists of them, and sections. A key whose value is None is left out, because TOML has
        no null.

    Raises
    ------
    ConfigError
        If TOML cannot hold a value: None in a list, text that is not Unicode, or another type. The
        message names the key.
    """
    return tomli_w.dumps(_section(values, ""))


def _section(values: Mapping[str, object], prefix: str) -> dict[str, object]:
    return {
        _text(key, prefix + key): _value(value, prefix + key)
        for key, value in values.items()
        if value is not None
    }


def _value(value: object, key: str) -> object:
    if isinstance(value, Mapping):
        return _section(value, f"{key}.")
    if isinstance(value, list | tuple):
        return [_value(each, f"{key}[{index}]") for index, each in enumerate(value)]
    if isinstance(value, str | Path):
        return _text(str(value), key)
    local = not isinstance(value, time) or value.tzinfo is None  # TOML knows no zone of a time
    if isinstance(value, bool | int | float | date | time) and local:
        return value
    raise ConfigError(f"{key}: TOML cannot hold a value of type {type(value).__name__}")


def _text(text: str, key: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigError(f"{key!r}: the text is not Unicode: TOML cannot hold it") from error
    return text
