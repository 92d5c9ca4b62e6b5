"""docs/README.md lists every page."""

from pathlib import Path


def test_every_page_is_in_the_index(root: Path) -> None:
    index = (root / "docs" / "README.md").read_text("utf-8")
    pages = {path.name for path in (root / "docs").glob("*.md")} - {"README.md"}
    assert len(pages) > 8
    assert [page for page in sorted(pages) if f"]({page})" not in index] == []


def test_every_task_is_in_the_index_of_tasks_and_of_the_site(root: Path) -> None:
    index = (root / "docs" / "howto" / "README.md").read_text("utf-8")
    site = (root / "mkdocs.yml").read_text("utf-8")
    pages = {path.name for path in (root / "docs" / "howto").glob("*.md")} - {"README.md"}
    assert len(pages) > 8
    assert [page for page in sorted(pages) if f"]({page})" not in index] == []
    assert [page for page in sorted(pages) if f"- howto/{page}\n" not in site] == []
