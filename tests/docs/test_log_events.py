"""docs/operations.md lists every event of the log with its id, and none that there is not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_ai.log_events import EVENT_IDS, SENTENCES

LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
LOGGERS = {"_log", "limited_log"}
# | `id` | `event` | meaning |, or with the level before the meaning
ALARM = re.compile(r"^\| `([a-z_.]+)` \| `([^`]+)` \| .{10,} \|$", re.MULTILINE)
EVENT = re.compile(r"^\| `([a-z_.]+)` \| `([^`]+)` \| ([A-Z]+) \| .{10,} \|$", re.MULTILINE)


def logged(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The sentence and the level of every event that code logs."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=logger), attr=level), args=[said, *_]
            ) if logger in LOGGERS and level in LEVELS:
                for part in (said.body, said.orelse) if isinstance(said, ast.IfExp) else (said,):
                    yield ast.literal_eval(part) if isinstance(part, ast.Constant) else "", level


@pytest.fixture(scope="module")
def in_code(root: Path) -> dict[str, set[str]]:
    """Sentence: the levels at which it is logged."""
    found: dict[str, set[str]] = {}
    for path in (root / "pacs_ai").rglob("*.py"):
        if path.name == "rate_limited_log.py":  # passes on what others log
            continue
        for sentence, level in logged(ast.parse(path.read_text(encoding="utf-8"))):
            assert sentence, f"{path}: an event is no plain text"
            found.setdefault(sentence, set()).add(level.upper())
    return found


@pytest.fixture(scope="module")
def in_guide(root: Path) -> list[tuple[str, str, str]]:
    """Id, sentence and level of every row."""
    text = (root / "docs" / "operations.md").read_text(encoding="utf-8")
    _, _, part = text.partition("## Alarms in the log")
    alarms, _, others = part.partition("## Other events in the log")
    return [(*row, "ERROR") for row in ALARM.findall(alarms)] + EVENT.findall(others)


def test_every_event_of_the_code_has_an_id(in_code: dict[str, set[str]]) -> None:
    assert len(in_code) > 80, "the search for events finds too little"
    assert sorted(in_code) == sorted(SENTENCES.values())


def test_ids_are_of_one_form_and_sentences_have_one_id() -> None:
    assert [name for name in SENTENCES if not re.fullmatch(r"[a-z]+\.[a-z_]+", name)] == []
    assert len(EVENT_IDS) == len(SENTENCES)
    assert list(SENTENCES) == sorted(SENTENCES)


def test_the_guide_lists_every_event_once(
    in_code: dict[str, set[str]], in_guide: list[tuple[str, str, str]]
) -> None:
    assert sorted((name, sentence) for name, sentence, _ in in_guide) == sorted(SENTENCES.items())
    wrong = [row for row in in_guide if in_code[row[1]] != {row[2]}]
    assert wrong == []


@pytest.mark.parametrize(
    ("code", "events"),
    [
        ("_log.info('study complete', study=1)", [("study complete", "info")]),
        ("limited_log.warning('user refused')", [("user refused", "warning")]),
        ("_log.error('a' if late else 'b')", [("a", "error"), ("b", "error")]),
        ("_log.error(text)", [("", "error")]),
        ("parser.error('no')", []),
    ],
)
def test_events_are_found(code: str, events: list[tuple[str, str]]) -> None:
    assert list(logged(ast.parse(code))) == events
