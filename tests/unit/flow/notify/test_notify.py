"""Who is told of what: conditions, summing up, signature, retries, and what a message holds."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.config import Config
from pacs_ai.domain import JobId
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.notify import tell
from pacs_ai.flow.notify.gather import Gatherer, begin
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import deliveries, jobs, notifications
from pacs_ai.store.schema import Job, Study
from tests.conftest import require
from tests.unit.flow.notify.office import Office, OnWhat
from tests.unit.flow.ready import Ready, dimse, ready
from tests.unit.store.samples import made, routed_job
from tests.web_peer import Answer, Asked


def finished(
    context: FlowContext, *, probability: str = "0.9300", decision: str = "present"
) -> str:
    """Let a job succeed that has found a lesion."""
    finding = {"name": "Lesion", "code": "1", "scheme": "99T", "decision": decision}
    with context.write() as transaction:
        _, job = routed_job(transaction)
        lease = jobs.claim(transaction, job, 60)
        assert lease is not None
        findings = [{**finding, "probability": probability}]
        jobs.succeed(transaction, lease, [made()], "ok", findings=findings)
    return job


def failures(context: FlowContext, number: int) -> None:
    """Let the deliveries of a job fail."""
    results = [made(one, sop_instance_uid=f"2.25.7{one}") for one in range(number)]
    with context.write() as transaction:
        _, job = routed_job(transaction)
        lease = jobs.claim(transaction, job, 60)
        assert lease is not None
        jobs.succeed(transaction, lease, results, "ok")
        for claimed in deliveries.claim(transaction, job, "pacs", lease_seconds=60):
            deliveries.fail(transaction, claimed, code="STORE_REFUSED", text="no", status=0xC000)


def test_a_storm_is_summed_up(office: OnWhat) -> None:
    node = office("failed", every_seconds=300)
    failures(node.context, 500)
    (first,) = node.told()
    assert (first["total"], first["counts"]) == (500, {"failed": 500})
    items = first["items"]
    assert isinstance(items, list)
    assert len(items) == tell.NAMED
    assert {one["error"] for one in items} == {"STORE_REFUSED"}
    assert str(first["text"]).rstrip().endswith(f"and {500 - tell.NAMED} more")
    with node.context.write() as transaction:
        job = transaction.scalars(sa.select(Job)).one()
        transaction.execute(sa.update(Job).values(state="RUNNING"))
        lease = jobs.Lease(JobId(job.id), job.attempt)
        jobs.fail(transaction, lease, "JOB_TIMEOUT", "too long")
    assert len(node.told()) == 1
    node.later(301)
    assert [one["total"] for one in node.told()] == [500, 1]
    node.later(301)
    assert len(node.told()) == 2


def test_nothing_is_told_of_what_was_before(office: OnWhat, context: FlowContext) -> None:
    finished(context)
    node = office("positive")
    assert node.told() == []
    silent = replace(node.context, config=Config(storage=context.config.storage))
    begin(silent)
    with context.database.read() as session:
        assert notifications.position(session) is None


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, True),
        ({"findings": ["Lesion"]}, True),
        ({"findings": ["Fracture"]}, False),
        ({"above": 0.95}, False),
        ({"above": 0.9}, True),
        ({"rules": ["everything"]}, True),
    ],
)
def test_a_positive_result_by_class_threshold_and_rule(
    office: OnWhat, more: dict[str, object], *, told: bool
) -> None:
    node = office("positive", **more)
    job = finished(node.context)
    messages = node.told()
    assert len(messages) == told
    if told:
        (item,) = messages[0]["items"]
        assert item["job"] == job
        assert item["findings"] == [{"name": "Lesion", "probability": "0.9300"}]


def test_a_negative_result_and_other_rules_are_not_told(office: OnWhat) -> None:
    node = office("positive")
    finished(node.context, decision="absent", probability="0.1000")
    assert node.told() == []


def test_the_signature_is_that_of_the_convention(office: OnWhat) -> None:
    node = office("positive")
    finished(node.context)
    node.notifier.sweep()
    (asked,) = node.hook.asked
    sent = {name.lower(): value for name, value in asked.headers.items()}
    content = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + asked.body
    openssl = [require("openssl"), "dgst", "-sha256", "-hmac", "geheim", "-binary"]
    digest = subprocess.run(openssl, input=content, capture_output=True, check=True).stdout
    base64 = subprocess.run(
        [require("openssl"), "base64", "-A"], input=digest, capture_output=True, check=True
    ).stdout.decode()
    assert sent["webhook-signature"] == f"v1,{base64}"
    assert int(sent["webhook-timestamp"]) == int(node.context.now().timestamp())
    assert sent["webhook-id"] == json.loads(asked.body)["id"]


def test_it_is_tried_again_under_the_same_id(office: OnWhat) -> None:
    node = office("positive")
    node.status = 503
    finished(node.context)
    node.notifier.sweep()
    (message,) = node.messages()
    assert (message.state, message.error_code) == ("WAITING", "PEER_BUSY")
    node.later(600)
    node.status = 204
    node.notifier.sweep()
    assert [one.state for one in node.messages()] == ["SENT"]
    assert len({one.headers["webhook-id"] for one in node.hook.asked}) == 1
    assert len(node.hook.asked) == 2
    node.later(timedelta(days=31).total_seconds())
    tell.forget(node.context, node.context.now())
    assert node.messages() == []


def test_one_that_is_refused_for_long_has_failed(office: OnWhat) -> None:
    node = office("positive")
    node.status = 404
    finished(node.context)
    for _ in range(40):
        node.notifier.sweep()
        node.later(600)
    assert [(one.state, one.error_code) for one in node.messages()] == [("FAILED", "PEER_REFUSED")]


def test_who_died_while_sending_loses_nothing(office: OnWhat) -> None:
    node = office("positive")
    finished(node.context)
    Gatherer(node.context).gather()
    assert tell.compose(node.context) == 1
    (message,) = node.messages()
    with node.context.write() as transaction:
        assert notifications.claim(transaction, message, 300) == 1
        assert notifications.claim(transaction, message, 300) is None
    assert node.told() == []
    node.later(301)
    assert len(node.told()) == 1


def test_a_node_that_starts_sends_again_what_it_was_sending(office: OnWhat) -> None:
    node = office("positive")
    finished(node.context)
    Gatherer(node.context).gather()
    tell.compose(node.context)
    with node.context.write() as transaction:
        notifications.claim(transaction, node.messages()[0], 300)
    begin(node.context)
    assert len(node.told()) == 1


def test_a_destination_that_is_down_is_told_once(office: OnWhat) -> None:
    node = office("destination_down", after_seconds=60, every_seconds=1)
    patient = _waiting(node)
    assert node.told() == []
    node.later(61)
    (message,) = node.told()
    (item,) = message["items"]
    assert (item["destination"], item["error"], item["waiting"]) == ("pacs", "PEER_UNREACHABLE", 2)
    node.later(600)
    patient.deliver()
    assert len(node.told()) == 1


def _waiting(node: Office) -> Ready:
    peers = {**node.context.config.peers, "pacs": dimse(1)}
    config = node.context.config
    patient = ready(node.context, {"pacs": dimse(1)})
    patient.deliver()
    node.context = replace(node.context, config=config.model_copy(update={"peers": peers}))
    return patient


def test_a_full_disk_is_told_once_a_day(office: OnWhat, monkeypatch: pytest.MonkeyPatch) -> None:
    node = office("disk", every_seconds=1)
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(type(node.context.spool), "free_bytes", lambda _: -usage.total)
    assert len(node.told()) == 1
    node.later(10)
    assert len(node.told()) == 1
    node.later(86_400)
    assert len(node.told()) == 2


@pytest.mark.parametrize("with_patient", [False, True])
def test_the_patient_is_named_only_where_that_is_asked_for(
    office: OnWhat, send: Callable[..., StoreAnswer], ct: Dataset, *, with_patient: bool
) -> None:
    node = office("conflict", "positive", with_patient=with_patient)
    assert send(ct).status == 0x0000
    with node.context.write() as transaction:
        study = transaction.scalars(sa.select(Study)).one()
        what = {"study": study.id}
        told = notifications.ToTell("desk", "hook", "event:x", "positive", transaction.now, what)
        notifications.add(transaction, [told])
    (message,) = node.told()
    text = json.dumps(message)
    values = (str(ct.PatientName), str(ct.PatientID))
    assert all((value in text) is with_patient for value in values)
    assert str(ct.StudyInstanceUID) not in text
    rows = [one.what for one in _notifications(node)]
    assert all(str(ct.PatientID) not in json.dumps(row) for row in rows)


def _notifications(node: Office) -> list[notifications.Notification]:
    with node.context.database.read() as session:
        return list(session.scalars(sa.select(notifications.Notification)))


def test_the_templates_are_used(office: OnWhat) -> None:
    node = office("positive", text="$$ $node: $total ($counts)")
    finished(node.context)
    (message,) = node.told()
    assert message["text"] == "$ PACS_AI: 1 (1 positive results)"


def test_a_hook_that_closes_the_connection_is_tried_again(office: OnWhat) -> None:
    node = office("positive")

    def respond(_: Asked) -> Answer | None:
        return None

    node.hook.respond = respond
    finished(node.context)
    node.notifier.sweep()
    assert [one.error_code for one in node.messages()] == ["PEER_UNREACHABLE"]
