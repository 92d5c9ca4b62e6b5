"""Lists that fit a screen, select what is asked for, and sum up per destination."""

import json
from datetime import timedelta

import pytest

from pacs_ai.domain import StudyState
from pacs_ai.store import deliveries, jobs
from tests.unit.cli.conftest import Installation
from tests.unit.store.samples import NOW, add_instance, arrival, sender

CLASSES = ", ".join(f"Some finding with a long name {number} 0.{number:03}" for number in range(14))
REASONS = ("the compressed frame is empty", "Rows x Columns is not there")
AFTER = (NOW + timedelta(days=1)).isoformat()


@pytest.fixture
def busy(node: Installation) -> Installation:
    """A node with long names everywhere: titles, UIDs, outcomes, errors."""
    node.failed_delivery()
    job = json.loads(_jobs(node))[0]["id"]
    with node.database.write("test", NOW) as transaction:
        uid = "1.2.826.0.1.3680043.8.498." + "1" * 38
        one = arrival(2, study_instance_uid=uid, path="node/2.dcm")
        long = sender("p", called="ANOTHER_OF_16_CH", calling="A_TITLE_OF_16_CH")
        transaction.now = NOW + timedelta(seconds=9)
        add_instance(transaction, one, long)
        transaction.now = NOW
        for number in range(3, 103):
            reason = REASONS[number % 2]
            path = f"node/{number}.dcm"
            more = arrival(number, study_instance_uid=uid, path=path, unusable_reason=reason)
            add_instance(transaction, more, long)
        row = transaction.get_one(jobs.Job, job)
        row.summary = CLASSES
    return node


def _jobs(node: Installation) -> str:
    return node.pacs_ai("jobs", "list", "--json").out


@pytest.mark.parametrize("what", ["studies", "jobs", "deliveries"])
def test_a_list_fits_100_columns(what: str, busy: Installation) -> None:
    text = busy.pacs_ai(what, "list").out
    assert max(map(len, text.splitlines())) <= 100, text


@pytest.mark.parametrize("columns", [80, 200])
def test_a_list_fits_the_terminal(
    columns: int, busy: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert max(map(len, busy.pacs_ai("studies", "list").out.splitlines())) <= columns


def test_a_study_fits_a_screen(busy: Installation) -> None:
    """100 instances that were left out are two lines; with --all they are 100."""
    screen = busy.pacs_ai("studies", "show", "2").out.splitlines()
    assert len(screen) <= 40
    assert max(map(len, screen)) <= 100
    assert any("50" in line and "the compressed frame is empty" in line for line in screen)
    assert len(busy.pacs_ai("studies", "show", "2", "--all").out.splitlines()) > 100


def test_a_destination_that_is_away_does_not_fill_the_screen(node: Installation) -> None:
    job = node.study_with_result(deliver=False)
    now = NOW
    for attempt in range(30):
        now += timedelta(minutes=1)
        with node.database.write("test", now) as transaction:
            (claimed,) = deliveries.claim(transaction, job, "pacs", lease_seconds=60)
            why = {"code": "PEER_UNREACHABLE", "text": f"no answer {attempt}"}
            assert deliveries.postpone(transaction, claimed, due_at=now, refusals=0, **why)
            deliveries.release_due(transaction, longest=timedelta(hours=1))
    screen = " ".join(node.pacs_ai("studies", "show", "1").out.split())
    assert screen.count("no answer") == screen.count("no answer 29") == 4, "the last attempt alone"
    assert "30 times since 2026-01-02 03:05:05 UTC; the last time: " in screen
    assert "delivery waiting (30 times)" in screen
    assert all(step in screen for step in (" receiving ", " routing ", " analysed ")), (
        "what was before is there"
    )
    assert node.pacs_ai("studies", "show", "1", "--all").out.count("no answer") > 30


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--sender", "A_TITLE_OF_16_CH"], [2]),
        (["--sender", "nobody"], []),
        (["--peer", "pacs"], [1]),
        (["--peer", "nowhere"], []),
        (["--model", "demo"], [1]),
        (["--model", "other"], []),
        (["--before", AFTER], [2, 1]),
        (["--before", NOW.isoformat()], []),
        (["--since", AFTER], []),
        (["--state", "receiving", "--sender", "A_TITLE_OF_16_CH"], [2]),
        (["--state", "routed", "--sender", "A_TITLE_OF_16_CH"], []),
    ],
)
def test_filters_of_studies(options: list[str], found: list[int], busy: Installation) -> None:
    rows = json.loads(busy.pacs_ai("studies", "list", "--json", *options).out)
    assert [row["id"] for row in rows] == found


@pytest.mark.parametrize("what", ["jobs", "deliveries"])
@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--study", "1"], 1),
        (["--study", "2"], 0),
        (["--peer", "pacs"], 1),
        (["--peer", "nowhere"], 0),
        (["--model", "demo"], 1),
        (["--model", "other"], 0),
        (["--sender", "A_TITLE_OF_16_CH"], 0),
        (["--before", AFTER], 1),
        (["--before", NOW.isoformat()], 0),
    ],
)
def test_filters_of_jobs_and_deliveries(
    what: str, options: list[str], found: int, busy: Installation
) -> None:
    assert len(json.loads(busy.pacs_ai(what, "list", "--json", *options).out)) == found


def test_a_study_that_is_not_there_is_an_error(busy: Installation) -> None:
    assert busy.pacs_ai("jobs", "list", "--study", "77").code == 1
    assert busy.pacs_ai("deliveries", "list", "--before", "sometime").code == 2


def test_sums_per_destination(busy: Installation) -> None:
    for words in (("studies", "list"), ("deliveries", "list"), ("deliveries", "list", "--summary")):
        last = busy.pacs_ai(*words).out.splitlines()[-1]
        assert last.startswith("pacs  1 FAILED; the oldest open one is "), words
    (row,) = json.loads(busy.pacs_ai("deliveries", "list", "--summary", "--json").out)
    assert row["deliveries"] == {"FAILED": 1}
    assert row["waiting_since"] is not None
    head, line = busy.pacs_ai("deliveries", "list", "--by", "peer").out.splitlines()
    assert head.split()[:2] == ["to", "where"]
    assert line.split()[0] == "pacs"
    (summary,) = json.loads(busy.pacs_ai("deliveries", "list", "--by", "peer", "--json").out)
    assert summary == row


def test_sums_do_not_depend_on_the_limit(node: Installation) -> None:
    node.study_with_result()
    out = node.pacs_ai("studies", "list", "--limit", "1").out
    assert out.splitlines()[-1] == "pacs  1 STORED"
    assert node.pacs_ai("studies", "list", "--state", StudyState.CONFLICT).out == ""


def test_no_seconds_where_an_image_came_after_the_result(node: Installation) -> None:
    """It names another patient: the study is in CONFLICT, and its revision stays."""
    node.study_with_result()
    with node.database.write("test", NOW + timedelta(minutes=5)) as transaction:
        add_instance(transaction, arrival(2), sender("another patient"))
    [record] = json.loads(node.pacs_ai("studies", "list", "--json").out)
    assert (record["state"], record["seconds"]) == ("CONFLICT", None)


def test_a_delivery_that_is_named_twice_counts_once(node: Installation) -> None:
    node.study_with_result(deliver=False)
    assert node.pacs_ai("deliveries", "cancel", 1, 1).out == "1 cancelled\n"
