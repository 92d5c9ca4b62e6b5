"""The list of decisions names each of them, with its title and status."""

import re
from pathlib import Path

import pytest

LINE = re.compile(r"^\| \[(\d{4})\]\((\d{4}-[a-z0-9-]+\.md)\) \| (.+) \| (\w+) \|$", re.MULTILINE)
PARTS = ("## Context", "## Decision", "## Consequences")


@pytest.fixture(scope="module")
def folder(root: Path) -> Path:
    return root / "docs" / "adr"


def test_the_list_names_every_file_once_and_in_order(folder: Path) -> None:
    listed = [file for _, file, _, _ in LINE.findall((folder / "README.md").read_text())]
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [int(name[:4]) for name in listed] == list(range(1, len(listed) + 1))


def test_titles_and_status_agree(folder: Path) -> None:
    for number, file, title, status in LINE.findall((folder / "README.md").read_text()):
        text = (folder / file).read_text()
        assert text.startswith(f"# {number} {title}\n"), file
        assert f"\nStatus: {status}" in text, file


def test_each_has_its_parts(folder: Path) -> None:
    for path in folder.glob("[0-9]*.md"):
        positions = [path.read_text().find(part) for part in PARTS]
        assert -1 not in positions, path.name
        assert positions == sorted(positions), path.name
