"""Every key of a recipe with its documented values, read from the classes that read a recipe."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from training.recipe.recipe import Recipe

_EXAMPLES: Mapping[str, tuple[object, ...]] = {
    "input.images": ("all", "central-5", "every-4"),
    "release.aggregation": ("max", "mean", "noisy-or", "top-3-mean"),
}
"""Values that the text of a section names, of keys that are free text."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key: its place, its documented values, and its default (None if it has to be given)."""

    path: str
    values: tuple[object, ...]
    default: object


def documented() -> dict[str, Key]:
    """List all keys; forms of a section that share a key add their values.

    The sections of ``[alternative]`` and ``[scratch]`` are those of the recipe.
    """
    found: dict[str, Key] = {}
    for key in _keys("", Recipe):
        if key.path.startswith(("alternative.", "scratch.")):
            continue
        before = found.get(key.path)
        values = (*(before.values if before else ()), *key.values)
        found[key.path] = Key(key.path, tuple(dict.fromkeys(values)), key.default)
    return found


def _keys(prefix: str, model: type[BaseModel]) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        if sections := list(_sections(field.annotation)):
            for section in sections:
                yield from _keys(f"{path}.", section)
        else:
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            yield Key(path, _EXAMPLES.get(path, tuple(_values(field.annotation))), default)


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _sections(each)


def _values(annotation: Any) -> Iterator[object]:
    if annotation is bool:
        yield from (True, False)
    elif get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for each in get_args(annotation):
            yield from _values(each)


def used(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """List the keys of a recipe, dumped by its classes, with their values."""
    for name, value in values.items():
        path = f"{prefix}{name}"
        yield path, value
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, Mapping):
                yield from used(each, f"{path}.")
