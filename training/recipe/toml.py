"""Write TOML, which the standard library only reads."""

import json
from collections.abc import Mapping
from pathlib import Path


def dumps(values: Mapping[str, object]) -> str:
    """Write nested sections as TOML.

    Parameters
    ----------
    values
        Texts, numbers, truths, paths, lists of those, sections, and lists of sections, which stand
        last. None is left out: TOML has no word for it.
    """
    plain = {key: value for key, value in values.items() if not _nested(value)}
    lines = [f"{key} = {inline(value)}" for key, value in plain.items() if value is not None]
    lines += _sections("", {key: value for key, value in values.items() if key not in plain})
    return "\n".join(lines).lstrip("\n") + "\n"


def inline(value: object) -> str:
    """Write one value in one line."""
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {inline(each)}" for key, each in value.items() if each is not None)
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(inline(each) for each in value)}]"
    # JSON's texts, numbers and truths are TOML's, too.
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def _sections(prefix: str, values: Mapping[str, object]) -> list[str]:
    lines: list[str] = []
    for key, value in values.items():
        name = prefix + _key(key)
        for section in value if isinstance(value, (list, tuple)) else [value]:
            assert isinstance(section, Mapping)  # noqa: S101 - `_nested` saw to it
            inner = {k: v for k, v in section.items() if isinstance(v, Mapping)}
            many = not isinstance(value, Mapping)
            if many:  # inside of a list of sections everything stands in one line a key
                inner = {}
            lines += ["", f"[[{name}]]" if many else f"[{name}]"]
            lines += [
                f"{_key(k)} = {inline(v)}"
                for k, v in section.items()
                if k not in inner and v is not None
            ]
            lines += _sections(f"{name}.", inner)
    return lines


def _nested(value: object) -> bool:
    several = isinstance(value, (list, tuple)) and len(value) > 0
    return isinstance(value, Mapping) or (several and isinstance(value[0], Mapping))  # type: ignore[index]


def _key(key: str) -> str:
    bare = key.replace("-", "").replace("_", "")
    return key if bare.isalnum() and bare.isascii() else json.dumps(key, ensure_ascii=False)
