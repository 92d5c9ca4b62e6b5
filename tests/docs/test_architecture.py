"""docs/architecture.md: the drawings are current, and every file and name on the page exists."""

import ast
import re
from pathlib import Path

import pytest

from tests.docs import architecture

REFERENCE = re.compile(
    r"\[`(?P<path>(?:pacs_ai|training)/[\w/.]+)`\]\(\.\./(?P<target>[\w/.]+)\)"
    r"(?P<names>(?: `[\w.]+`(?:, `[\w.]+`)*)?)"
)
QUESTIONS = (
    "a C-STORE is refused",
    "a study counts as complete",
    "the heat map is computed",
    "a report is withdrawn",
    "the split by patient",
)


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "architecture.md").read_text("utf-8")


def test_the_drawings_and_tables_are_current(page: str) -> None:
    if page != architecture.renewed(page):
        pytest.fail(
            "docs/architecture.md is not current: python -m tests.docs.architecture", pytrace=False
        )
    assert len(architecture.MARK.findall(page)) == 4


def test_every_file_and_name_exists(page: str, root: Path) -> None:
    found = list(REFERENCE.finditer(page))
    assert len(found) > 100
    assert page.count("](../") == len(found)
    assert [one["path"] for one in found if one["path"] != one["target"]] == []
    assert [one["path"] for one in found if not (root / one["path"]).exists()] == []
    named = [(root / one["path"], name) for one in found for name in _names(one["names"])]
    missing = [f"{path.relative_to(root)} {name}" for path, name in named if not _has(path, name)]
    assert missing == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_reader_finds_the_file_in_one_step(page: str, question: str) -> None:
    [row] = [line for line in page.splitlines() if line.startswith(f"| {question} |")]
    assert REFERENCE.search(row)


def test_every_link_within_the_page_leads_to_a_heading(page: str) -> None:
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", one.lower()).strip().replace(" ", "-") for one in headings}
    assert set(re.findall(r"\]\(#([\w-]+)\)", page)) <= anchors


def test_an_arrow_is_left_out_where_a_longer_way_leads_there() -> None:
    edges = {"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset()}
    assert architecture.reduced(edges) == {**edges, "a": frozenset("b")}


def test_rooms_that_are_merged_have_the_arrows_of_all() -> None:
    edges = {"a": frozenset("bc"), "b": frozenset("d"), "c": frozenset(), "d": frozenset()}
    assert architecture.merged(edges, "bc", "ground") == {
        "a": frozenset({"ground"}),
        "ground": frozenset("d"),
        "d": frozenset(),
    }


def _names(text: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", text)


def _has(path: Path, name: str) -> bool:
    """Tell whether a module defines a function, class, method or constant."""
    body = ast.parse(path.read_text("utf-8")).body
    *classes, last = name.split(".")
    for one in classes:
        found = [item for item in body if isinstance(item, ast.ClassDef) and item.name == one]
        body = found[0].body if found else []
    defined = {getattr(item, "name", "") for item in body}
    for item in body:
        targets = item.targets if isinstance(item, ast.Assign) else [getattr(item, "target", None)]
        defined |= {target.id for target in targets if isinstance(target, ast.Name)}
    return last in defined
