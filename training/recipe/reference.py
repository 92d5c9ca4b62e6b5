"""The page docs/recipe.md, generated from the classes that read a recipe.

``python -m training.recipe.reference > docs/recipe.md`` generates it again.
"""

import inspect
import json
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from training.recipe.recipe import Recipe, Start

_HEAD = """\
# Recipes, key by key

This page is generated from the classes that read a recipe; a test keeps it current. How to write a
recipe: [training.md](training.md). An unknown key is an error, so that a misspelt key is not
mistaken for a default.
"""


_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path"}


def reference() -> str:
    """Write the page."""
    parts = [_HEAD, *_section("", Recipe)]
    return "\n".join(parts).rstrip() + "\n"


def _section(name: str, model: type[BaseModel], of: str = "") -> Iterator[str]:
    """Write one section: the text of its class, its keys, then its sections."""
    if name:
        yield f"## `[{name}]`{of}\n"
    yield _prose(model) + "\n"
    if issubclass(model, Start):
        return  # its sections are described where they stand alone
    inner: list[tuple[str, type[BaseModel]]] = []
    rows = []
    for key, field in model.model_fields.items():
        models = [each for each in _models(field.annotation) if each is not model]
        if models:
            inner += [(f"{name}.{key}" if name else key, each) for each in models]
        else:
            rows.append(f"| `{key}` | {_type(field.annotation)} | {_default(field)} |")
    if rows:
        yield "\n".join(["| key | what | default |", "|---|---|---|", *rows]) + "\n"
    for path, each in inner:
        several = len([other for other, _ in inner if other == path]) > 1
        yield from _section(path, each, f" with `{_told_by(each)}`" if several else "")


def _told_by(model: type[BaseModel]) -> str:
    """Write the key that selects one of several forms of a section."""
    for key, field in model.model_fields.items():
        if get_origin(field.annotation) is Literal and field.is_required():
            return f"{key} = {' | '.join(_literal(value) for value in get_args(field.annotation))}"
    return model.__name__


def _prose(model: type[BaseModel]) -> str:
    """Convert the docstring to Markdown; parameters become a list."""
    text = inspect.cleandoc(model.__doc__ or "").replace("``", "`")
    text, _, parameters = text.partition("\nParameters\n----------\n")
    items = re.findall(r"^(\w+)\n((?:    .*\n?)+)", parameters, re.MULTILINE)
    lines = [f"- `{name}`: {' '.join(said.split())}" for name, said in items]
    return "\n".join([text.rstrip(), *(["", *lines] if lines else [])])


def _models(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401 - any annotation there is
    """Find the sections in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in get_args(annotation) for model in _models(each)]


def _type(annotation: Any) -> str:  # noqa: ANN401 - any annotation there is
    """Describe the type of a key."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{_literal(value)}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(each) for each in arguments if each is not type(None))
    if origin is tuple:
        many = arguments[1:] == (Ellipsis,)
        return f"list of {_type(arguments[0]) if many else len(arguments)}"
    if origin is dict:
        return f"table of {_type(arguments[1])}"
    if origin is not None:  # Annotated
        annotation = arguments[0]
    return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _literal(value: object) -> str:
    """Write a value as in a recipe: text, numbers, booleans and lists look the same in JSON."""
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return ""
    return f"`{_literal(value)}`"


def main() -> None:
    """Write the page to standard output."""
    sys.stdout.write(reference())


if __name__ == "__main__":
    main()
