"""Records on the screen."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
import typer

from pacs_ai.cli.options import moment
from pacs_ai.cli.tables import cell, print_json, print_table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (3, "3"),
        (1.25, "1.2"),
        (["a", "b"], "a, b"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1))), "2026-01-02 02:04:05"),
        ("a\tb\x1b[0m", "a\\tb\\x1b[0m"),
        ("Größe", "Größe"),
    ],
)
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


def test_columns_are_aligned_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["id", "long_name"], [["1", "x"], ["1000", ""]])
    assert capsys.readouterr().out == "id    long name\n1     x\n1000\n"


def test_a_terminal_gets_a_drawn_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    print_table(["id"], [["[bold]1"]], "title")
    drawn = capsys.readouterr().out
    assert "─" in drawn
    assert "[bold]1" in drawn, "values are no markup"


def test_json_writes_times_with_their_zone(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"at": datetime(2026, 1, 2, tzinfo=UTC), "text": "ü"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"at": "2026-01-02T00:00:00+00:00", "text": "ü"}


def test_since() -> None:
    assert moment(None) is None
    assert moment("2026-01-02") == datetime(2026, 1, 2, tzinfo=UTC)
    assert moment("2026-01-02T03:00+01:00") == datetime(2026, 1, 2, 2, tzinfo=UTC)
    ago = moment("2h")
    assert ago is not None
    assert abs(datetime.now(UTC) - ago - timedelta(hours=2)) < timedelta(minutes=1)
    with pytest.raises(typer.BadParameter):
        moment("2 hours")
