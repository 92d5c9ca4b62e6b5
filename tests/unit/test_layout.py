"""The sizes the tree has to keep."""

from pathlib import Path

LINE_LIMIT = 300


def too_long(folders: list[Path]) -> list[str]:
    """Name every Python file over the limit, with its length."""
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
    }
    assert lengths, "no Python file found: the check looks in the wrong place"
    return [f"{path}: {lines} lines" for path, lines in lengths.items() if lines > LINE_LIMIT]


def test_no_file_is_over_the_limit(root: Path) -> None:
    folders = [root / name for name in ("pacs_ai", "training", "tests")]
    assert too_long(folders) == []


def test_a_long_file_would_be_named(tmp_path: Path) -> None:
    (tmp_path / "short.py").write_text("x = 1\n" * LINE_LIMIT)
    (tmp_path / "long.py").write_text("x = 1\n" * (LINE_LIMIT + 1))
    assert too_long([tmp_path]) == [f"{tmp_path / 'long.py'}: {LINE_LIMIT + 1} lines"]
