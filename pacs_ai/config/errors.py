"""What is wrong with a configuration, in the words of the file and not of the library that read it.

A message names the key as the file has it, where it was set, and what it must be; never the value,
which may be a password.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pacs_ai.config.conditions import FAULTY
from pacs_ai.config.peer_kinds import PEER_KINDS
from pacs_ai.config.rules import rule_label
from pacs_ai.config.schema import Config

_RULES = "rules"
_TYPE = re.compile(r"str|(literal|tuple)\[.*")
"""Names of types that pydantic puts into the place of an error, where a value may have two."""
_PEERS = "peers"
_REQUIRED = "complete_when"
_WORDS = {
    "missing": "is missing",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a text",
    "path_type": "must be the path of a file or folder",
    "tuple_type": "must be a list",
    "rules_type": "must be a list of rules: begin each with [[rules]], in double brackets",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "union_tag_not_found": "must be a table",
    "union_tag_invalid": "kind must be {kinds}",
    "byte_size": "must be a size, such as 4096 or '64 KiB'",
    "byte_size_unit": "must be a size, such as 4096 or '64 KiB'",
    "string_pattern_mismatch": "must be 64 hexadecimal digits, in lower case",
}
"""Kind of an error of pydantic: what to say of it."""


def explain(error: ValidationError, environment: Mapping[str, Mapping[str, object]]) -> str:
    """Say in one line which keys are wrong, where they were set and why.

    Parameters
    ----------
    environment
        Values that were set by variables, by section and key.
    """
    said = []
    problems = error.errors(include_input=False, include_url=False)
    places = {problem["loc"] for problem in problems}
    for problem in problems:
        if any(_inside(inner, problem["loc"]) for inner in places):
            continue  # the list is wrong because a value of it is
        section, key = [*map(str, problem["loc"]), "", ""][:2]
        variable = f" (PACS_AI_{section}_{key})".upper()
        set_by = variable if key in environment.get(section, {}) else ""
        for where, what in _faults(problem):
            said.append(f"{where}{set_by}: {what}" if where else what)
    return "; ".join(dict.fromkeys(said))


def _faults(problem: ErrorDetails) -> list[tuple[str, str]]:
    """Return places and texts: a condition may have several faults."""
    where = place(problem["loc"])
    if problem["type"] != FAULTY:
        return [(where, _what(problem))]
    return [(f"{where}.{inner}", text) for inner, text in problem.get("ctx", {})["faults"]]


def place(loc: Sequence[int | str]) -> str:
    """Return what the file calls the place of an error.

    Parameters
    ----------
    loc
        Keys and positions from the outside to the inside, as pydantic gives them.
    """
    steps = _keys(loc)
    if len(steps) > 1 and steps[0] == _RULES and isinstance(steps[1], int):
        return ", ".join([rule_label(steps[1] + 1), *filter(None, [_dotted(steps[2:])])])
    return _dotted(steps)


def _inside(inner: Sequence[int | str], outer: Sequence[int | str]) -> bool:
    """Tell whether one place lies within another, and is not the same."""
    return len(inner) > len(outer) and list(inner[: len(outer)]) == list(outer)


def _keys(loc: Sequence[int | str]) -> Sequence[int | str]:
    """Leave out what pydantic adds: the kind of a peer, the type of a value that may have two."""
    if loc[:1] == (_PEERS,):
        loc = [*loc[:2], *loc[3:]]
    return [step for step in loc if not _TYPE.fullmatch(str(step))]


def _dotted(steps: Sequence[int | str]) -> str:
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f", value {step + 1}"
        else:
            text += f".{step}" if text else step
    return text


def _what(problem: ErrorDetails) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "tuple_type" and problem["loc"] == (_RULES,):
        kind = "rules_type"
    if kind in ("string_type", "tuple_type") and _REQUIRED in problem["loc"][:-1]:
        return "must be a text or a list of texts"
    if kind == "extra_forbidden":
        return "unknown key" + _nearest(problem["loc"])
    if kind in _WORDS:
        return _WORDS[kind].format(kinds=" or ".join(map(repr, PEER_KINDS)))
    if kind in ("literal_error", "enum"):
        return f"must be {context['expected']}"
    if kind == "value_error":
        return problem["msg"].removeprefix("Value error, ")
    return _bound(kind, context) or problem["msg"]


def _bound(kind: str, context: Mapping[str, Any]) -> str:
    """Say what a value is compared with."""
    words = {
        "greater_than": ("must be more than {}", "gt"),
        "greater_than_equal": ("must be at least {}", "ge"),
        "less_than": ("must be less than {}", "lt"),
        "less_than_equal": ("must be at most {}", "le"),
        "string_too_short": ("must have at least {} character(s)", "min_length"),
        "string_too_long": ("must have at most {} characters", "max_length"),
        "too_short": ("must have at least {} value(s)", "min_length"),
    }
    if kind not in words:
        return ""
    text, key = words[kind]
    return text.format(context[key])


def _nearest(loc: Sequence[int | str]) -> str:
    """Ask whether a known key was meant, if one is spelt nearly so."""
    known = _known(loc[:-1])
    found = difflib.get_close_matches(str(loc[-1]), known, 1, 0.7)
    return f"; did you mean {found[0]!r}?" if found else ""


def _known(path: Sequence[int | str]) -> list[str]:
    """Return the keys that may stand at a place."""
    if path[:1] == (_PEERS,):
        return list(PEER_KINDS[str(path[2])].model_fields)
    model: Any = Config
    for step in path:
        if isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(str(step))
            model = field.annotation if field is not None else None
        else:  # dict[str, Peer], tuple[Rule, ...]
            model = next(
                (
                    one
                    for one in get_args(model)
                    if isinstance(one, type) and issubclass(one, BaseModel)
                ),
                None,
            )
    fits = isinstance(model, type) and issubclass(model, BaseModel)
    return list(model.model_fields) if fits else []
