"""Listings and operator's actions, on rows as the flow makes them."""

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from pacs_ai.domain import DeliveryState, JobState, StudyState, TaskKind
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import keyed_hash
from pacs_ai.store import instances, tasks
from pacs_ai.store.schema import Delivery, Event, Job, Study
from tests.unit.cli.conftest import Answer, Installation
from tests.unit.store.samples import NOW, add_instance, arrival, sender


def test_nothing_to_list(node: Installation) -> None:
    for what in ("studies", "jobs", "deliveries"):
        assert node.pacs_ai(what, "list") == Answer(0, "", f"no {what}\n")
        assert node.pacs_ai(what, "list", "--json").out == "[]\n"


def test_a_study_with_its_outcome_and_seconds(node: Installation) -> None:
    node.study_with_result()
    (row,) = json.loads(node.pacs_ai("studies", "list", "--json").out)
    assert row["study_instance_uid"] == "1.2.3"
    assert row["state"] == StudyState.ROUTED
    assert row["outcome"] == ["demo: Lesion 0.930, No finding 0.070"]
    assert row["delivered"] == "1/1 pacs"
    assert row["seconds"] == 4.5
    assert row["last_received_at"] == NOW.isoformat()
    text = node.pacs_ai("studies", "list").out
    assert text.split()[:2] == ["id", "state"]
    assert "4.5" in text.split()
    assert "2026-01-02 03:04:05" in text
    assert "received (UTC)" in text.splitlines()[0]


def test_seconds_only_when_all_has_arrived(node: Installation) -> None:
    node.study_with_result(deliver=False)
    (row,) = json.loads(node.pacs_ai("studies", "list", "--json").out)
    assert row["delivered"] == "0/1 pacs"
    assert row["seconds"] is None


def test_a_rejected_job_says_why(node: Installation) -> None:
    job = node.rejected_job()
    (row,) = json.loads(node.pacs_ai("jobs", "list", "--json").out)
    assert row["id"] == job
    assert row["state"] == JobState.REJECTED
    assert row["outcome"] == "demo: REJECTED NO_FITTING_SERIES: no suitable image for CT"
    assert "NO_FITTING_SERIES" in node.pacs_ai("jobs", "list").out
    assert "NO_FITTING_SERIES: no suitable image for CT" in node.pacs_ai("jobs", "show", job).out
    assert "NO_FITTING_SERIES" in node.pacs_ai("studies", "list").out


def test_filters(node: Installation) -> None:
    node.study_with_result()
    assert len(json.loads(node.pacs_ai("studies", "list", "--json", "--state", "routed").out)) == 1
    assert json.loads(node.pacs_ai("studies", "list", "--json", "--state", "CONFLICT").out) == []
    assert json.loads(node.pacs_ai("jobs", "list", "--json", "--state", "failed").out) == []
    assert json.loads(node.pacs_ai("deliveries", "list", "--json", "--state", "sending").out) == []
    after, before = (NOW + timedelta(days=1)).isoformat(), (NOW - timedelta(days=1)).isoformat()
    assert json.loads(node.pacs_ai("jobs", "list", "--json", "--since", after).out) == []
    assert len(json.loads(node.pacs_ai("jobs", "list", "--json", "--since", before).out)) == 1


def test_limit(node: Installation) -> None:
    with node.database.write("test", NOW) as transaction:
        for number in range(1, 4):
            uid = f"1.2.3.{number}"
            one = arrival(number, study_instance_uid=uid, path=f"node/{number}.dcm")
            transaction.now = NOW + timedelta(seconds=number)
            transaction.now = NOW + timedelta(seconds=number)
            add_instance(transaction, one, sender())
    rows = json.loads(node.pacs_ai("studies", "list", "--json", "--limit", "2").out)
    assert [row["study_instance_uid"] for row in rows] == ["1.2.3.3", "1.2.3.2"]


def test_show_a_study_by_uid_by_row_and_by_accession(node: Installation) -> None:
    node.study_with_result()
    secret = (node.folder / "var" / "spool" / "site.key").read_bytes()
    with node.database.write("test", NOW) as transaction:
        study = transaction.get_one(Study, 1)
        study.accession_key = keyed_hash(secret, "accession|A 17")
    shown = node.pacs_ai("studies", "show", "1.2.3", "--json").out
    assert node.pacs_ai("studies", "show", "1", "--json").out == shown
    assert node.pacs_ai("studies", "show", "--accession", " A 17 ", "--json").out == shown
    (details,) = json.loads(shown)
    assert [event["to_state"] for event in details["events"]][:3] == [
        "RECEIVING",
        "COMPLETE",
        "ROUTED",
    ]
    assert details["jobs"][0]["state"] == JobState.SUCCEEDED
    assert details["deliveries"][0]["status"] == "0x0000"
    assert details["results"][0]["file"] == f"{node.folder}/var/spool/node/results/aa/1.dcm"
    text = node.pacs_ai("studies", "show", "1").out
    assert re.search(r"^  state +ROUTED$", text, re.MULTILINE)
    assert "A 17" not in shown + text


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["studies", "show", "77"], 1),
        (["studies", "show", "--accession", "none"], 1),
        (["studies", "show"], 2),
        (["studies", "show", "1", "--accession", "x"], 2),
        (["jobs", "show", "zz"], 1),
        (["jobs", "retry", "zz"], 1),
        (["deliveries", "retry", "77"], 1),
        (["commit", "zz"], 1),
        (["studies", "show", "9" * 30], 1),
        (["studies", "show", "\N{SUPERSCRIPT TWO}"], 1),
        (["deliveries", "cancel", "9" * 30], 1),
        (["studies", "list", "--limit", "9" * 30], 2),
        (["studies", "list", "--since", "9" * 30 + "d"], 2),
        (["studies", "list", "--since", "9999-12-31T23:59:59-14:00"], 2),
    ],
)
def test_what_does_not_exist(words: list[str], code: int, node: Installation) -> None:
    assert node.pacs_ai(*words).code == code


@pytest.mark.parametrize(
    "words", [["jobs", "cancel"], ["jobs", "retry"], ["jobs", "show"], ["commit"]]
)
def test_an_empty_id_means_no_job(words: list[str], node: Installation) -> None:
    """There is one job, and its id begins with nothing: an unset variable must not cancel it."""
    node.rejected_job()
    answer = node.pacs_ai(*words, "")
    assert answer.code == 2
    assert "JOB is empty" in answer.err


def test_show_what_was_left_out_and_why(node: Installation) -> None:
    node.study_with_result()
    with node.database.write("test", NOW) as transaction:
        instances.mark_unusable(transaction, 1, "the compressed frame is empty")
    (details,) = json.loads(node.pacs_ai("studies", "show", "1", "--json").out)
    assert details["not_analysed"] == [
        {
            "sop_instance_uid": "1.2.3.1.1",
            "series_instance_uid": "1.2.3.1",
            "revision": 1,
            "reason": "the compressed frame is empty",
        }
    ]
    text = node.pacs_ai("studies", "show", "1", "--all").out
    assert re.search(r"^not analysed\n.*\n1\.2\.3\.1\.1 +1 +the compressed", text, re.MULTILINE)


def test_an_accession_number_that_is_not_found_is_not_repeated(node: Installation) -> None:
    answer = node.pacs_ai("studies", "show", "--accession", "SECRET17")
    assert "SECRET17" not in answer.out + answer.err


def test_close_a_study(node: Installation) -> None:
    with node.database.write("test", NOW) as transaction:
        add_instance(transaction, arrival(), sender())
    assert node.pacs_ai("studies", "close", "1.2.3").code == 0
    assert node.study().state == StudyState.COMPLETE
    assert tasks_of(node, "route") == {"1:1"}
    again = node.pacs_ai("studies", "close", "1.2.3")
    assert again.code == 1
    assert again.err == "pacs-ai: ILLEGAL_TRANSITION: study 1 is COMPLETE, not RECEIVING\n"


def test_reroute_a_study(node: Installation) -> None:
    node.study_with_result()
    assert node.pacs_ai("studies", "reroute", "1").code == 0
    assert (node.study().state, node.study().revision) == (StudyState.COMPLETE, 2)
    assert "1:2" in tasks_of(node, "route")
    assert node.pacs_ai("studies", "resolve", "1", "--keep", "first").code == 1


def test_resolve_a_conflict(node: Installation) -> None:
    with node.database.write("test", NOW) as transaction:
        add_instance(transaction, arrival(1), sender("p1"))
        add_instance(transaction, arrival(2), sender("p2"))
    assert node.study().state == StudyState.CONFLICT
    assert node.pacs_ai("studies", "reroute", "1").code == 1
    assert node.pacs_ai("studies", "resolve", "1", "--keep", "first").code == 0
    assert (node.study().state, node.study().revision) == (StudyState.COMPLETE, 2)
    with node.database.read() as session:
        assert session.query(Event).filter_by(actor="operator", note="resolve").count() == 1


def test_retry_and_cancel_a_job(node: Installation) -> None:
    job = node.rejected_job()
    assert node.pacs_ai("jobs", "cancel", job).code == 1
    assert node.pacs_ai("jobs", "retry", job[:6]).code == 0
    assert state(node, Job, job) == JobState.QUEUED
    assert job in tasks_of(node, "analyse")
    assert node.pacs_ai("jobs", "cancel", job).code == 0
    assert state(node, Job, job) == JobState.CANCELLED
    assert "CANCELLED" in node.pacs_ai("jobs", "show", job).out


def test_show_a_job_says_where_its_results_lie(node: Installation) -> None:
    job = node.study_with_result()
    shown = json.loads(node.pacs_ai("jobs", "show", job[:8], "--json").out)
    file = f"{node.folder}/var/spool/node/results/aa/1.dcm"
    assert [one["file"] for one in shown["results"]] == [file]
    assert file in node.pacs_ai("jobs", "show", job).out


def test_retry_and_cancel_a_delivery(node: Installation) -> None:
    number = node.failed_delivery()
    (row,) = json.loads(node.pacs_ai("deliveries", "list", "--json").out)
    assert (row["status"], row["reason"]) == ("0xC123", "X: why")
    assert node.pacs_ai("deliveries", "retry", number).code == 0
    assert state(node, Delivery, number) == DeliveryState.PENDING
    assert tasks_of(node, "deliver") == {f"{row['job']}:pacs"}
    assert node.pacs_ai("deliveries", "cancel", number).code == 0
    assert state(node, Delivery, number) == DeliveryState.CANCELLED
    assert node.pacs_ai("deliveries", "retry", number).code == 1


def test_one_wrong_number_changes_nothing(node: Installation) -> None:
    number = node.failed_delivery()
    assert node.pacs_ai("deliveries", "retry", number, 77).code == 1
    assert state(node, Delivery, number) == DeliveryState.FAILED


def test_ask_an_archive_again_that_is_down(node: Installation) -> None:
    job = node.study_with_result()
    answer = node.pacs_ai("commit", job)
    assert answer.code == 0
    assert "pacs: 0 of 1 committed" in answer.out


@pytest.mark.parametrize(
    ("step", "remedy"), [("0000", "pacs-ai db upgrade"), ("9999", "install that version")]
)
def test_a_schema_of_another_version_is_not_touched(
    step: str, remedy: str, node: Installation
) -> None:
    with node.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (step,))
    for words in (("studies", "list"), ("db", "check")):
        answer = node.pacs_ai(*words)
        assert answer.code == 2
        assert remedy in answer.err


def test_a_file_that_is_no_database(node: Installation) -> None:
    (node.folder / "noise").write_bytes(bytes(range(256)) * 64)
    config = node.folder / "pacs-ai.toml"
    text = config.read_text("utf-8").replace("[storage]", '[storage]\ndatabase = "sqlite:///noise"')
    config.write_text(text, "utf-8")
    answer = node.pacs_ai("studies", "list")
    assert answer.code == 2
    assert "no connection, or no database" in answer.err


def test_a_hostile_title_cannot_write_to_the_terminal(node: Installation) -> None:
    with node.database.write("test", NOW) as transaction:
        evil = sender(calling="A\x1b[2J")
        add_instance(transaction, arrival(), evil)
    assert "\x1b" not in node.pacs_ai("studies", "list").out
    assert "\x1b" not in node.pacs_ai("studies", "show", "1").out


def test_the_key_of_the_node_is_that_of_the_command(
    node: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real: Callable[[FlowContext, str], str] = FlowContext.accession_key

    def key(self: FlowContext, number: str) -> str:
        asked.append(number)
        return real(self, number)

    monkeypatch.setattr(FlowContext, "accession_key", key)
    node.pacs_ai("studies", "show", "--accession", "X")
    assert asked == ["X"]


def state(node: Installation, table: type[Job] | type[Delivery], key: object) -> str:
    with node.database.read() as session:
        return session.get_one(table, key).state


def tasks_of(node: Installation, kind: str) -> set[str]:
    with node.database.read() as session:
        return tasks.existing(session, TaskKind(kind))
