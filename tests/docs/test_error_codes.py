"""docs/operations.md explains every error code there is, and none that there is not."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import pacs_ai
from pacs_ai.errors import PacsAIError

# | `CODE` | meaning | remedy |
ROW = re.compile(r"^\| `([A-Z][A-Z_-]+)` \| .{20,} \| .{15,} \|$", re.MULTILINE)
# Codes that stand in rows of the database without an exception class of their own.
IN_ROWS = re.compile(
    r"(?:code=|code = |(?:UNANSWERED|CRASHED|TIME_LIMIT|OFF_PEAK|PRIORS) = )[^\n]*?"
    r"\"([A-Z]+(?:_[A-Z]+)*)\""
)
SOURCES = ("store", "flow")


def codes(parent: type[PacsAIError]) -> set[str]:
    """The codes of all classes of the node; tests elsewhere may derive some of their own."""
    own = {parent.code} if parent.__module__.startswith("pacs_ai.") else set()
    return own.union(*(codes(child) for child in parent.__subclasses__()))


def import_everything() -> None:
    for module in pkgutil.walk_packages(pacs_ai.__path__, "pacs_ai."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            importlib.import_module(module.name)


@pytest.fixture(scope="module")
def documented(root: Path) -> list[str]:
    return ROW.findall((root / "docs" / "operations.md").read_text())


def test_every_code_is_explained_once(root: Path, documented: list[str]) -> None:
    import_everything()
    in_rows = {
        code
        for package in SOURCES
        for path in (root / "pacs_ai" / package).glob("*.py")
        for code in IN_ROWS.findall(path.read_text())
    }
    assert {"CRASHED", "JOB_TIMEOUT", "NO_REPORT"} <= in_rows, (
        "the search for codes in rows finds nothing"
    )
    assert sorted(documented) == sorted(codes(PacsAIError) | in_rows)
