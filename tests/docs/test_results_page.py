"""docs/results.md shows every kind, and each tree as the code builds it now."""

import re
from pathlib import Path

import pytest

from pacs_ai.domain import ResultKind
from tests.docs.results_page import MARK, PAGE, renewed, trees


def test_every_tree_is_in_step() -> None:
    page = PAGE.read_text("utf-8")
    assert {found["name"] for found in MARK.finditer(page)} == set(trees())
    if renewed(page) != page:
        pytest.fail("the trees are old: python -m tests.docs.results_page", pytrace=False)


@pytest.mark.parametrize("kind", list(ResultKind))
def test_every_kind_is_described(kind: ResultKind) -> None:
    page = PAGE.read_text("utf-8")
    assert f"| `{kind}` |" in page
    titles = " ".join(line for line in page.splitlines() if line.startswith("## "))
    assert kind in re.findall(r"[a-z0-9_]+", titles)


def test_an_old_tree_would_be_noticed(root: Path) -> None:
    page = (root / "docs" / "results.md").read_text("utf-8")
    old = page.replace("CONTAINER (126000, DCM, Imaging", "CONTAINER (126000, DCM, Other", 1)
    assert renewed(old) == page
