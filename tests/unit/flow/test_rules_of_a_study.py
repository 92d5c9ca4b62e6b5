"""What rules decide of a study: series, priority, hours, where results go, what is dropped."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config, Rule
from pacs_ai.domain import JobState, StudyState, TaskKind
from pacs_ai.flow.asked_rules import rules_of, series_of
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.off_peak import closed
from pacs_ai.flow.priors.wait import reason_to_wait
from pacs_ai.flow.recover import LeaseWatch, sweep
from pacs_ai.flow.retain import retain
from pacs_ai.priorities import Priority
from pacs_ai.store import jobs, open_work, tasks
from pacs_ai.store.jobs import Lease
from tests.spool_files import instance_paths
from tests.unit.flow.analysed import Patient

Send = Callable[..., object]
AXIAL, SAGITTAL = [1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1]


def node(context: FlowContext, clock: ManualClock, rule: dict[str, object], **others: object):
    given = {"rules": [{"name": "one", "model": "demo", **rule}], **others}
    config = Config.model_validate({**context.config.model_dump(), **given})
    return Patient(replace(context, config=config), clock)


def series_of_images(ct: Dataset, number: int, orientation: list[int], thickness: str):
    series = generate_uid()
    for _ in range(number):
        image = deepcopy(ct)
        image.SeriesInstanceUID, image.SOPInstanceUID = series, generate_uid()
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.ImageOrientationPatient, image.SliceThickness = orientation, thickness
        yield image


def test_a_rule_chooses_series(
    context: FlowContext, clock: ManualClock, send: Send, ct: Dataset
) -> None:
    thin = list(series_of_images(ct, 3, AXIAL, "1.5"))
    for image in (
        *thin,
        *series_of_images(ct, 3, AXIAL, "5"),
        *series_of_images(ct, 3, SAGITTAL, "1.5"),
        *series_of_images(ct, 2, AXIAL, "1.5"),
    ):
        send(image)
    choice = {
        "orientation": "axial",
        "min_images": 3,
        "when": {"SliceThickness": {"max": 3}},
    }
    patient = node(context, clock, {"series": choice})
    patient.route()
    assert series_of(patient.job()) == {thin[0].SeriesInstanceUID}


def test_a_study_without_such_a_series_does_not_match(
    context: FlowContext, clock: ManualClock, send: Send, ct: Dataset
) -> None:
    send(ct)
    patient = node(context, clock, {"series": {"min_images": 2}})
    patient.route()
    assert patient.jobs() == []
    assert patient.study().reason == "no rule matches: no series is what 'one' chooses"


@pytest.mark.parametrize(
    ("rule", "urgent", "expected"),
    [
        ({}, {}, Priority.ROUTINE),
        ({"priority": "low"}, {}, Priority.LOW),
        ({"priority": "urgent"}, {}, Priority.URGENT),
        ({"priority": "low"}, {"CallingAET": "MODALITY"}, Priority.URGENT),
        ({}, {"Modality": "CT", "CallingAddress": "127.0.0.0/8"}, Priority.URGENT),
        ({}, {"RequestedProcedurePriority": "STAT"}, Priority.ROUTINE),
    ],
)
def test_the_priority_of_a_job_is_that_of_its_tasks(
    context: FlowContext, clock: ManualClock, send: Send, ct: Dataset, *, rule, urgent, expected
) -> None:
    send(ct)
    patient = node(context, clock, rule, routing={"urgent": urgent})
    patient.route()
    assert patient.job().priority == expected
    with patient.context.write() as transaction:
        task = tasks.claim(transaction, [TaskKind.ANALYSE], 60)
    assert task is not None
    assert task.priority == expected


NIGHT = {"off_peak": {"hours": "22:00-06:00", "time_zone": "UTC"}}
NOON, MIDNIGHT = datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2026, 1, 16, tzinfo=UTC)


def claimed(patient: Patient) -> Lease | None:
    with patient.context.write() as transaction:
        return jobs.claim(
            transaction,
            patient.job().id,
            60,
            closed=lambda job: reason_to_wait(patient.context, transaction, job),
        )


def open_states(patient: Patient) -> list[str]:
    with patient.context.database.read() as session:
        return [one.state for one in open_work.open_jobs_by_hours(session)]


def test_a_job_waits_for_its_hours(
    context: FlowContext, clock: ManualClock, send: Send, ct: Dataset
) -> None:
    send(ct)
    clock.advance(((NOON - clock.now()) % timedelta(days=1)).total_seconds())
    patient = node(context, clock, NIGHT)
    patient.route()
    assert claimed(patient) is None
    job = patient.job()
    assert (job.state, job.error_code) == (JobState.WAITING, "OFF_PEAK")
    assert "22:00-06:00 (UTC)" in job.error_text
    assert open_states(patient) == ["OFF_PEAK"]
    sweep(patient.context, LeaseWatch())
    assert patient.job().state == JobState.WAITING
    clock.advance(12 * 3600)
    sweep(patient.context, LeaseWatch())
    assert patient.job().state == JobState.QUEUED
    assert open_states(patient) == ["OFF_PEAK"]  # it has waited half a day, and nothing is wrong
    assert claimed(patient) is not None
    assert open_states(patient) == ["RUNNING"]


def test_an_urgent_job_and_one_whose_rule_is_gone_do_not_wait(
    context: FlowContext, clock: ManualClock, send: Send, ct: Dataset
) -> None:
    send(ct)
    patient = node(context, clock, {**NIGHT, "send_to": ()})
    patient.route()
    job, config = patient.job(), patient.context.config
    assert closed(config, job, NOON)
    assert not closed(config, job, MIDNIGHT)
    gone = config.model_copy(update={"rules": (Rule(name="other", model="demo"),)})
    assert not closed(gone, job, NOON)
    assert [rule.name for rule in rules_of(gone, job)] == ["one"]
    job.priority = Priority.URGENT
    assert not closed(config, job, NOON)


@pytest.mark.parametrize(("title", "expected"), [("MODALITY", ("ct",)), ("OTHER", ())])
def test_results_go_back_to_the_sender(
    context: FlowContext,
    clock: ManualClock,
    send: Send,
    ct: Dataset,
    title: str,
    expected: tuple[str, ...],
) -> None:
    send(ct)
    peers = {
        "first": {"ae_title": title, "host": "10.0.0.9", "port": 104},
        "ct": {"ae_title": title, "host": "127.0.0.1", "port": 104},
    }
    patient = node(context, clock, {"send_to": ("@sender",)}, peers=peers)
    patient.route()
    [rule] = rules_of(patient.context.config, patient.job())
    assert rule.send_to == expected
    config = patient.context.config.model_copy(update={"rules": ()})
    [kept] = rules_of(config, patient.job())
    assert (kept.send_to, kept.results) == (rule.send_to, rule.results)


@pytest.mark.parametrize(("unmatched", "dropped"), [("keep", False), ("drop", True)])
def test_what_no_rule_matches_is_kept_or_dropped(
    context: FlowContext,
    clock: ManualClock,
    send: Send,
    ct: Dataset,
    unmatched: str,
    dropped: bool,
) -> None:
    send(ct)
    patient = node(context, clock, {"when": {"Modality": "MR"}}, routing={"unmatched": unmatched})
    patient.route()
    assert patient.study().reason == "no rule matches"
    assert retain(patient.context) == dropped
    assert patient.study().state == (StudyState.PURGED if dropped else StudyState.ROUTED)
    assert bool(instance_paths(patient.context.spool)) is not dropped
