"""The base install declares what `pacs_ai` imports, and nothing else."""

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOUND_BY_NAME = {"psycopg"}
"""Loaded by SQLAlchemy when the URL of the database names it."""


def imports(node: ast.AST) -> Iterator[str]:
    """The top-level modules that code imports when it runs, in functions too."""
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module.split(".")[0]
    only_typed = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    for child in node.orelse if only_typed else ast.iter_child_nodes(node):
        yield from imports(child)


def imported(folder: Path) -> set[str]:
    """The distributions that a package imports, without itself and the standard library."""
    modules = {
        module
        for path in folder.rglob("*.py")
        for module in imports(ast.parse(path.read_text(encoding="utf-8")))
    }
    known = packages_distributions()
    return {
        canonicalize_name(known[module][0])
        for module in modules - set(sys.stdlib_module_names) - {folder.name}
    }


def names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, object]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_base_install_holds_what_is_imported_and_nothing_else(root: Path, project) -> None:
    found = imported(root / "pacs_ai")
    extras = project["optional-dependencies"]
    optional = names([*extras["openvino"], *extras["postgresql"], *extras["cluster"]])
    assert optional <= found | FOUND_BY_NAME
    assert found - optional == names(project["dependencies"])


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import numpy.typing as npt", ["numpy"]),
        ("def f():\n    from PIL import Image", ["PIL"]),
        ("if TYPE_CHECKING:\n    import one\nelse:\n    import other", ["other"]),
        ("from . import one", []),
    ],
)
def test_imports_are_found(code: str, found: list[str]) -> None:
    assert list(imports(ast.parse(code))) == found
