"""The sizes the tree has to keep, and the numbers it may give only once."""

from collections import Counter
from pathlib import Path

LINE_LIMIT = 300
NUMBERED = ("pacs_ai/store/migrations/versions/*_*.py", "docs/adr/*-*.md")
"""Files whose names begin with a number: two changes made at one time may take the same."""


def too_long(folders: list[Path]) -> list[str]:
    """Name every Python file over the limit, with its length."""
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
    }
    assert lengths, "no Python file found: the check looks in the wrong place"
    return [f"{path}: {lines} lines" for path, lines in lengths.items() if lines > LINE_LIMIT]


def given_twice(root: Path, pattern: str) -> list[str]:
    """Name every number of four digits that more than one file begins with."""
    numbers = [path.name[:4] for path in root.glob(pattern) if path.name[:4].isdecimal()]
    assert numbers, "no numbered file found: the check looks in the wrong place"
    return [number for number, files in Counter(numbers).items() if files > 1]


def test_no_file_is_over_the_limit(root: Path) -> None:
    folders = [root / name for name in ("pacs_ai", "training", "tests")]
    assert too_long(folders) == []


def test_a_long_file_would_be_named(tmp_path: Path) -> None:
    (tmp_path / "short.py").write_text("x = 1\n" * LINE_LIMIT)
    (tmp_path / "long.py").write_text("x = 1\n" * (LINE_LIMIT + 1))
    assert too_long([tmp_path]) == [f"{tmp_path / 'long.py'}: {LINE_LIMIT + 1} lines"]


def test_no_migration_and_no_decision_has_the_number_of_another(root: Path) -> None:
    assert {pattern: given_twice(root, pattern) for pattern in NUMBERED} == {
        pattern: [] for pattern in NUMBERED
    }


def test_a_number_that_is_given_twice_would_be_named(tmp_path: Path) -> None:
    for name in ("0001_first.py", "0002_second.py", "0002_other.py"):
        (tmp_path / name).touch()
    assert given_twice(tmp_path, "*_*.py") == ["0002"]
