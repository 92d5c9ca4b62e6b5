"""``retry`` with filters: after an outage, everything that it cost, and nothing else."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from pacs_ai.domain import DeliveryState, JobId, JobState
from pacs_ai.store import deliveries, jobs, tasks
from pacs_ai.store.schema import Delivery, Job
from tests.unit.cli.conftest import Installation
from tests.unit.store.samples import MODEL, NOW, add_instance, arrival, made, sender

RECENT = datetime.now(UTC) - timedelta(minutes=30)


def failed_jobs(node: Installation) -> dict[str, JobId]:
    """Three jobs: two FAILED, long ago and just now, one REJECTED; by different models."""
    found = {}
    with node.database.write("test", NOW) as transaction:
        for number, (name, when) in enumerate(
            {"old": NOW, "recent": RECENT, "rejected": RECENT}.items(), start=1
        ):
            one = arrival(
                number,
                study_instance_uid=f"1.2.3.{number}",
                sop_instance_uid=f"1.2.3.{number}.1.1",
            )
            transaction.now = NOW
            study = add_instance(transaction, one, sender())
            job_id = jobs.create(transaction, study, ["everything"], f"model-{name}", MODEL)
            assert job_id is not None
            lease = jobs.claim(transaction, job_id, 60)
            assert lease is not None
            transaction.now = when
            if name == "rejected":
                jobs.reject(transaction, lease, "NO_FITTING_SERIES", "none")
            else:
                jobs.fail(transaction, lease, "STORAGE", "gone")
            found[name] = job_id
    return found


def states(node: Installation, ids: dict[str, JobId]) -> dict[str, str]:
    with node.database.read() as session:
        return {name: session.get_one(Job, key).state for name, key in ids.items()}


@pytest.mark.parametrize(
    ("words", "queued"),
    [
        (["--state", "failed"], {"old", "recent"}),
        (["--state", "failed", "--since", "2h"], {"recent"}),
        (["--since", "2h"], {"recent"}),
        (["--state", "failed", "--before", "2h"], {"old"}),
        (["--state", "rejected"], {"rejected"}),
        (["--model", "model-old"], {"old"}),
        (["--study", "1.2.3.2"], {"recent"}),
        (["--sender", "MODALITY"], {"old", "recent"}),
        (["--sender", "NOBODY"], set()),
        (["--peer", "pacs"], set()),
        (["--state", "waiting"], set()),
    ],
)
def test_jobs_that_match_are_queued_and_counted(
    node: Installation, words: list[str], queued: set[str]
) -> None:
    ids = failed_jobs(node)
    before = states(node, ids)
    answer = node.pacs_ai("jobs", "retry", *words, "--json")
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)
    assert said == {"retried": len(queued), "ids": [ids[one] for one in ids if one in queued]}
    now = states(node, ids)
    for name in ids:
        assert now[name] == (JobState.QUEUED if name in queued else before[name])
    with node.database.read() as session:
        assert tasks.existing(session, "analyse") == {ids[name] for name in queued}


def test_the_number_is_said_also_if_it_is_none(node: Installation) -> None:
    ids = failed_jobs(node)
    assert "2 jobs: queued" in node.pacs_ai("jobs", "retry", "--state", "failed").out
    nothing = node.pacs_ai("jobs", "retry", "--state", "failed")
    assert nothing.code == 0
    assert nothing.out == "nothing to try again: no job matches\n"
    assert f"job {ids['rejected']}: queued" in node.pacs_ai("jobs", "retry", ids["rejected"]).out
    assert "no delivery matches" in node.pacs_ai("deliveries", "retry", "--peer", "pacs").out


@pytest.mark.parametrize("what", ["jobs", "deliveries"])
@pytest.mark.parametrize(
    "words",
    [[], ["1", "--state", "failed"], ["--state", "cancelled"], ["--since", "yesterday"]],
)
def test_what_says_too_little_or_too_much_does_nothing(
    node: Installation, what: str, words: list[str]
) -> None:
    ids = failed_jobs(node)
    before = states(node, ids)
    assert node.pacs_ai(what, "retry", *words).code == 2
    assert states(node, ids) == before


def test_several_ids_are_all_or_none(node: Installation) -> None:
    ids = failed_jobs(node)
    assert node.pacs_ai("jobs", "retry", ids["old"], "no such job").code == 1
    assert states(node, ids)["old"] == JobState.FAILED
    assert node.pacs_ai("jobs", "retry", ids["old"], ids["recent"]).code == 0
    assert states(node, ids)["recent"] == JobState.QUEUED


def failed_deliveries(node: Installation) -> dict[str, int]:
    """One result for two peers, FAILED long ago at one and just now at the other."""
    ids = failed_jobs(node)
    node.pacs_ai("jobs", "retry", ids["old"])
    found = {}
    with node.database.write("test", NOW) as transaction:
        lease = jobs.claim(transaction, ids["old"], 60)
        assert lease is not None
        jobs.succeed(transaction, lease, [made(send_to=("pacs", "viewer"))], "")
        for peer, when in {"pacs": NOW, "viewer": RECENT}.items():
            (claimed,) = deliveries.claim(transaction, ids["old"], peer, lease_seconds=60)
            transaction.now = when
            deliveries.fail(transaction, claimed, code="X", text="why")
            found[peer] = claimed.delivery_id
    return found


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (["--state", "failed"], {"pacs", "viewer"}),
        (["--since", "2h"], {"viewer"}),
        (["--peer", "pacs"], {"pacs"}),
        (["--peer", "nobody"], set()),
        (["--study", "1.2.3.1"], {"pacs", "viewer"}),
        (["--study", "1.2.3.2"], set()),
        (["--model", "model-old", "--before", "2h"], {"pacs"}),
        (["--state", "waiting"], set()),
    ],
)
def test_deliveries_that_match_are_sent(
    node: Installation, words: list[str], sent: set[str]
) -> None:
    ids = failed_deliveries(node)
    answer = node.pacs_ai("deliveries", "retry", *words, "--json")
    assert answer.code == 0, answer.err
    expected = {"retried": len(sent), "ids": [ids[one] for one in ids if one in sent]}
    assert json.loads(answer.out) == expected
    with node.database.read() as session:
        now = {name: session.get_one(Delivery, key).state for name, key in ids.items()}
    assert {name for name in now if now[name] == DeliveryState.PENDING} == sent
