"""The timeline: each step with its duration and reason, and where the time went."""

from collections.abc import Callable
from functools import partial

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.domain import JobId
from pacs_ai.flow.complete import Reason, close
from pacs_ai.flow.context import pair_key
from pacs_ai.flow.operate.studies import delete_study, reroute_study
from pacs_ai.flow.operate.trace import trace_study
from pacs_ai.flow.route import route
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import completeness, deliveries
from pacs_ai.store.completeness import Counted
from pacs_ai.store.deliveries import ClaimedDelivery
from pacs_ai.store.session import Transaction
from pacs_ai.store.timeline import RevisionRecord
from pacs_ai.store.transition import record
from tests.unit.flow.analysed import Patient, demo, on_a_node


@pytest.fixture
def patient(context, clock: ManualClock, send: Callable[..., StoreAnswer], ct: Dataset) -> Patient:
    """A study of two images, 20 seconds apart, closed a minute later, and routed after a second."""
    patient = on_a_node(context, clock)
    assert send(ct).status == 0x0000
    clock.advance(20)
    ct.SOPInstanceUID = ct.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    assert send(ct).status == 0x0000
    clock.advance(60)
    reason = Reason("quiet", "quiet; pacs has 3 images, 2 of them are here", Counted("pacs", 3, 2))
    assert close(patient.context, patient.study(), reason)
    clock.advance(1)
    route(patient.context, {"demo": demo().identity}, pair_key(1, 1))
    return patient


def sent(patient: Patient, end: Callable[[Transaction, ClaimedDelivery], object]) -> None:
    """Try to send for two seconds, with this end."""
    job = JobId(patient.job().id)
    with patient.context.write() as transaction:
        batch = deliveries.claim(transaction, job, "archive", lease_seconds=60)
    patient.clock.advance(2)
    with patient.context.write() as transaction:
        for claimed in batch:
            end(transaction, claimed)


def spent(revision: RevisionRecord) -> dict[str, float]:
    return {" ".join(filter(None, (one.step, one.peer))): one.seconds for one in revision.spent}


def test_every_step_has_its_duration_and_its_reason(patient: Patient) -> None:
    patient.clock.advance(5)
    patient.analyse()
    patient.clock.advance(3)
    later = patient.clock.now()
    why = {"code": "PEER_UNREACHABLE", "text": "nobody there", "due_at": later, "refusals": 0}
    sent(patient, partial(deliveries.postpone, **why))
    patient.wait()
    stored = partial(deliveries.stored, status=0, note="")
    sent(patient, stored)
    trace = trace_study(patient.context, "1")
    assert (trace.study, trace.state, trace.revision) == (1, "ROUTED", 1)
    (revision,) = trace.revisions
    took = spent(revision)
    assert took.pop("analysed") + took.pop("encoded") == 0  # the clock of the test stands still
    assert took == {
        "receiving": 20,
        "waiting_for_images": 60,
        "routing": 1,
        "in_queue": 5,
        "delivery_waiting archive": 3,
        "delivery_sending archive": 4,
    }
    assert (revision.images, revision.signal) == (2, "quiet")
    assert (revision.asked, revision.expected, revision.present) == ("pacs", 3, 2)
    assert revision.closed_at == revision.last_image_at.replace(minute=1, second=20)
    said = {one.step: one.reason for one in trace.steps if one.reason}
    assert said["waiting_for_images"] == "quiet; pacs has 3 images, 2 of them are here"
    assert "nobody there" in said["delivery_waiting"]
    sending = [one for one in trace.steps if one.step == "delivery_sending"]
    assert [(one.results, one.seconds, one.peer) for one in sending] == [(2, 2, "archive")] * 2
    assert all(one.end is not None for one in trace.steps)


def test_the_last_attempt_is_parted_by_what_the_worker_has_measured(patient: Patient) -> None:
    patient.analyse()
    job = patient.job()
    assert set(job.stages) == {"analysed", "encoded"}
    assert all(0 < seconds < 60 for seconds in job.stages.values())
    with patient.context.write() as transaction:
        row = transaction.get_one(type(job), job.id)
        row.stages = {"analysed": 1.0, "encoded": 0.5}
    (event,) = [one for one in trace_study(patient.context, "1").steps if one.step == "encoded"]
    assert event.seconds == 0  # no longer than the attempt itself


def test_results_say_what_was_not_received_until_it_has_come(
    patient: Patient, send: Callable[..., StoreAnswer], ct: Dataset
) -> None:
    said = "2 of 3 images analysed: 1 not received from the source"
    assert said in patient.analyse().summary
    reroute_study(patient.context, "1")
    with patient.context.database.read() as session:
        assert completeness.not_received(session, 1, 2) == 1
    ct.SOPInstanceUID = ct.file_meta.MediaStorageSOPInstanceUID = "1.2.4"
    assert send(ct).status == 0x0000
    with patient.context.database.read() as session:
        assert completeness.not_received(session, 1, 3) == 0


def test_what_goes_on_counts_up_to_now(patient: Patient) -> None:
    patient.clock.advance(7)
    trace = trace_study(patient.context, "1")
    assert (trace.steps[-1].step, trace.steps[-1].end, trace.steps[-1].seconds) == (
        "in_queue",
        None,
        7,
    )


def test_each_revision_has_its_own_times(
    patient: Patient, send: Callable[..., StoreAnswer], ct: Dataset
) -> None:
    patient.analyse()
    patient.clock.advance(100)
    ct.SOPInstanceUID = ct.file_meta.MediaStorageSOPInstanceUID = "1.2.4"
    assert send(ct).status == 0x0000
    patient.clock.advance(60)
    with patient.context.write() as transaction:
        record(transaction, "arrival", 1, "", "INCOMPLETE", note="pacs has 4 images")
    patient.route()
    trace = trace_study(patient.context, str(patient.study().study_instance_uid))
    first, second = trace.revisions
    assert (first.images, second.images) == (2, 1)
    assert spent(second)["waiting_for_images"] == 60
    (asked,) = [one for one in trace.steps if one.step == "source_asked"]
    assert (asked.revision, asked.reason, asked.seconds) == (2, "pacs has 4 images", 0)


def test_a_clock_that_was_set_back_makes_no_negative_time(patient: Patient) -> None:
    patient.clock.jump(-3600)
    patient.analyse()
    trace = trace_study(patient.context, "1")
    assert all(one.seconds >= 0 for one in trace.steps)
    assert all(one.seconds >= 0 for revision in trace.revisions for one in revision.spent)


def test_a_study_that_was_deleted_keeps_its_first_steps(patient: Patient) -> None:
    patient.analyse()
    with patient.context.write() as transaction:
        for row in patient.deliveries():
            transaction.delete(row)
    delete_study(patient.context, "1")
    steps = [one.step for one in trace_study(patient.context, "1").steps]
    assert steps == ["receiving", "waiting_for_images", "routing"]
