"""The log, and the private file of tracebacks that `[log] debug_phi` asks for."""

import json
import stat
import sys
from pathlib import Path

import pytest

from pacs_ai import logs
from pacs_ai.config import Config
from pacs_ai.config.sections import Log
from pacs_ai.errors import NotDicom
from pacs_ai.logs import get_logger, setup_logging


def fail() -> None:
    """Raise as the project does: the library's message is hidden behind ours."""
    try:
        int("DOE^JANE")
    except ValueError:
        raise NotDicom("the data set is damaged") from None


def event(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    found: dict[str, str] = json.loads(capsys.readouterr().err)
    return found


def test_tracebacks_go_to_a_private_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "debug-phi.log"
    setup_logging(Log(format="json"), path)
    try:
        fail()
    except NotDicom as error:
        get_logger().error("job failed", error=error.code)
    said = event(capsys)
    assert "DOE" not in json.dumps(said)
    kept = path.read_text()
    assert kept.startswith(f"{said['traceback']} ")
    assert "the data set is damaged" in kept
    assert "DOE^JANE" in kept, "also what from None hides"
    assert "in fail" in kept
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_written_for_what_is_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "debug-phi.log"
    setup_logging(Log(format="json"), path)
    get_logger().error("delivery failed")
    assert "traceback" not in event(capsys)
    try:
        fail()
    except NotDicom:
        get_logger().info("one of many")
    assert "traceback" not in event(capsys)
    assert not path.exists()


def test_by_default_no_traceback_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = Config()
    setup_logging(Log(format="json"), config.debug_file())
    try:
        fail()
    except NotDicom:
        get_logger().error("job failed")
    assert "traceback" not in event(capsys)
    assert list(tmp_path.rglob("debug-phi*")) == []


def test_a_file_that_cannot_be_written_costs_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_logging(Log(format="json"), tmp_path / "absent" / "debug-phi.log")
    try:
        fail()
    except NotDicom:
        get_logger().error("job failed")
    assert event(capsys)["event"] == "job failed"


def test_the_file_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs, "KEPT_BYTES", 2000)
    path = tmp_path / "debug-phi.log"
    setup_logging(Log(), path)
    for _ in range(50):
        try:
            fail()
        except NotDicom:
            get_logger().error("job failed")
    assert {one.name for one in tmp_path.iterdir()} == {"debug-phi.log", "debug-phi.log.1"}
    assert sum(one.stat().st_size for one in tmp_path.iterdir()) < 10_000
    assert capsys.readouterr().err.count("job failed") == 50


def test_it_lies_beside_the_database_or_in_the_spool(tmp_path: Path) -> None:
    def configured(database: str) -> Config:
        storage = {"database": database, "spool": tmp_path / "spool"}
        return Config.model_validate({"storage": storage, "log": {"debug_phi": True}})

    here = configured(f"sqlite:///{tmp_path}/var/rows.db").debug_file()
    assert here == tmp_path / "var" / "debug-phi.log"
    there = configured("postgresql+psycopg://me:secret@db/rows").debug_file()
    assert there == tmp_path / "spool" / "debug-phi.log"


def test_an_error_that_leads_to_itself_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "debug-phi.log"
    setup_logging(Log(), path)
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    try:
        raise first
    except ValueError:
        assert sys.exc_info()[1] is first
        get_logger().error("odd")
    assert path.read_text().count("ValueError: first") == 1
    assert "odd" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("form", "name"),
    [("json", '"event_id": "instance.refused"'), ("text", "event_id=instance.refused")],
)
def test_an_event_has_its_id_beside_its_sentence(
    form: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_logging(Log(format=form))
    get_logger().warning("instance refused", peer="CT")
    said = capsys.readouterr().err
    assert "instance refused" in said
    assert name in said
