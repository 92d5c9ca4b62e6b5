"""The functions of the node that ask the database for something, as their source says."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

NODE = Path(__file__).resolve().parents[2] / "pacs_ai"

_ASKS = frozenset({"execute", "scalar", "scalars", "exec_driver_sql"})
"""What is found by its primary key (``get``), and what is changed so, need no look."""

_WHOM = frozenset({"session", "transaction", "connection"})
_NOT_ROWS = ("migrations", "migrate", "session", "sqlite_transactions")
"""Modules of the store that make the schema, or begin and end transactions."""


@functools.cache
def asking() -> frozenset[str]:
    """Return file and name of each function that runs a statement itself."""
    found = set()
    for file in sorted(NODE.rglob("*.py")):
        path = file.relative_to(NODE)
        if path.parts[0] == "store" and path.parts[1].removesuffix(".py") in _NOT_ROWS:
            continue
        text = file.read_text("utf-8")
        if not any(f".{ask}(" in text for ask in _ASKS):
            continue
        for name, function in _functions(ast.parse(text)):
            if any(_asks(node) for node in _own(function)):
                found.add(f"{path} {name}")
    return frozenset(found)


def _asks(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _ASKS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in _WHOM
    )


def _functions(tree: ast.AST, before: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield before + node.name, node
            yield from _functions(node, f"{before}{node.name}.<locals>.")
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{before}{node.name}.")
        else:
            yield from _functions(node, before)


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """Yield what a function does itself, not what functions in it do."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef):
            yield node
            yield from _own(node)
