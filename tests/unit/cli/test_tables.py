"""Records on the screen."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
import typer
from rich.cells import cell_len

from pacs_ai.cli.options import moment
from pacs_ai.cli.summary import print_destinations
from pacs_ai.cli.tables import (
    cell,
    print_json,
    print_part,
    print_record,
    print_table,
    show_lines,
    show_records,
)
from pacs_ai.domain import DeliveryState
from pacs_ai.store.sending import DestinationSummary


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


def test_times_have_a_zone(capsys: pytest.CaptureFixture[str]) -> None:
    record = {"at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "never_at": None, "who": "x"}
    column = "at (UTC)             never at  who\n2026-01-02 03:04:05            x\n"
    show_records([record], list(record), as_json=False, nothing="")
    show_lines([record], nothing="")
    print_part("events", list(record), [record])
    assert capsys.readouterr().out == f"{column}{column}\nevents\n{column}"
    print_record(record)
    assert capsys.readouterr().out.splitlines()[0] == "  at        2026-01-02 03:04:05 UTC"


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


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("name", ["pacs", "archive_of_the_radiology_department", "研究存档" * 6])
def test_a_text_keeps_its_room_whatever_stands_before_it(
    width: int, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    line = {"id": 1, "from": "A_TITLE_OF_16_CH", "time": datetime(2026, 1, 2, tzinfo=UTC)}
    texts = ("no finding 0.93, " * 5, "右肺下叶结节 未见异常 " * 4, "")
    lines = [{**line, "to": name, "state": "COMMITTING", "reason": text} for text in texts]
    show_lines(lines, nothing="")
    out = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, out)) <= width
    assert out == [one.rstrip() for one in out]
    assert len(out) <= 2 + 3 * len(lines), "no text is a column of syllables"


@pytest.mark.parametrize("width", [80, 100])
def test_the_sums_fit_too(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    now = datetime(2026, 1, 2, tzinfo=UTC)
    states = dict.fromkeys(DeliveryState, 1000)
    sums = [DestinationSummary(name, states, now) for name in ("pacs", "研究存档", "x" * 32)]
    print_destinations(sums, now + timedelta(days=3))
    out = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, out)) <= width
    joined = " ".join(" ".join(out).split())
    assert joined.count("1000 COMMITTING") == len(sums)


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
