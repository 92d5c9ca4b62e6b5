"""The drift watch on rows: what is kept, what is alarmed, and what a restart forgets (nothing)."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import count

import numpy as np
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from pacs_ai.domain import StudyId, TaskKind
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.watch_drift import DriftWatch, drift_alarms
from pacs_ai.metrics.exposition import Metrics
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.reference import Reference
from pacs_ai.priorities import Priority
from pacs_ai.store import active_models, jobs, observations, studies
from pacs_ai.store.active_models import Version
from pacs_ai.store.drift_tables import DriftStream, Observation
from tests.unit.metrics.reading import values
from tests.unit.store.samples import MODEL, add_instance, arrival, sender

BEGAN = "studies do not look like those of the validation"
ENDED = "studies look like those of the validation again"
MANIFEST = "c" * 64
Analysed = Callable[..., None]


def reference(size: int = 100) -> Reference:
    rng = np.random.default_rng(1)
    group = {"input.mean": tuple(sorted(rng.normal(size=size).tolist()))}
    return Reference(network_sha256="a" * 64, groups={"DX": group})


@pytest.fixture
def analysed(context: FlowContext) -> Analysed:
    """Add studies, each with the row of its job and what was measured of it."""
    numbers = count(1)

    def add(many: int, mean: float = 0.0, title: str = "ROOM1", modality: str = "DX") -> None:
        rng = np.random.default_rng(many)
        for value in rng.normal(mean, size=many).tolist():
            number = next(numbers)
            with context.write(durable=False) as transaction:
                came = arrival(number, study_instance_uid=f"1.2.{number}")
                study = add_instance(transaction, came, sender(calling=title))
                key = StudyId(study.id)
                studies.close(transaction, key, study.revision, reason="quiet")
                studies.routed(transaction, key, study.revision, reason="")
                job = jobs.create(transaction, study, ["all"], "demo", MODEL)
                assert job is not None
                found = transaction.get_one(jobs.Job, job)
                found.manifest_sha256 = MANIFEST
                measured = {"input.mean": value, "score.Lesion": 0.25}
                observations.add(transaction, job, modality, measured)
                observations.add(transaction, job, modality, measured)  # the same study again

    return add


def sweep(context: FlowContext, known: Mapping[str, Reference | None] | None = None) -> int:
    """As a daemon that has just been started."""
    return DriftWatch(context, {MANIFEST: reference()} if known is None else known).sweep()


def stream(context: FlowContext, title: str = "ROOM1") -> DriftStream:
    with context.database.read() as session:
        return session.scalars(sa.select(DriftStream).where(DriftStream.sender == title)).one()


def test_a_study_counts_once_and_for_its_sender(context: FlowContext, analysed: Analysed) -> None:
    analysed(3)
    analysed(2, title="ROOM2")
    assert sweep(context) == 5
    assert sweep(context) == 0
    assert (stream(context).studies, stream(context, "ROOM2").studies) == (3, 2)
    assert stream(context).scores == {"Lesion": [0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0.75]}


def test_a_shift_is_alarmed_once_also_over_restarts(
    context: FlowContext, analysed: Analysed
) -> None:
    with capture_logs() as logs:
        for _ in range(3):
            analysed(10)
            sweep(context)
        assert list(drift_alarms(context)) == []
        for _ in range(10):
            analysed(5, mean=4.0)
            sweep(context)
    [began] = [line for line in logs if line["event"] == BEGAN]
    assert (began["peer"], began["model"], began["modality"]) == ("ROOM1", "demo", "DX")
    assert 30 < began["studies"] <= 80
    [alarm] = drift_alarms(context)
    assert alarm.since is not None
    assert alarm.since - context.now() < timedelta(seconds=1)
    assert alarm.statistics.startswith("input.mean ")


def test_studies_are_counted_when_no_urgent_one_is_under_way(
    context: FlowContext, analysed: Analysed
) -> None:
    analysed(30)
    with context.write() as transaction:
        context.engine.enqueue(transaction, TaskKind.ROUTE, "urgent", Priority.URGENT)
    assert sweep(context) == 0
    assert context.engine.drain(lambda *_: None, (TaskKind.ROUTE,)) == 1
    assert sweep(context) == 30


def test_an_alarm_ends(context: FlowContext, analysed: Analysed) -> None:
    analysed(20, mean=4.0)
    sweep(context)
    assert list(drift_alarms(context))
    analysed(100)
    with capture_logs() as logs:
        sweep(context)
    assert [line["event"] for line in logs] == [ENDED]
    assert list(drift_alarms(context)) == []


def test_without_a_reference_scores_are_counted_all_the_same(
    context: FlowContext, analysed: Analysed
) -> None:
    analysed(20, mean=4.0)
    analysed(20, mean=4.0, title="CT1", modality="CT")
    for known in ({}, {MANIFEST: None}, {MANIFEST: reference(10)}, None):
        sweep(context, known)
    assert stream(context, "CT1").studies == 20
    assert list(drift_alarms(context)) == []


def test_few_rows_are_kept(
    context: FlowContext, analysed: Analysed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observations, "_KEPT", 20)
    analysed(25)
    sweep(context)
    with context.database.read() as session:
        assert session.scalar(sa.select(sa.func.count(Observation.id))) == 20
    analysed(1)
    assert sweep(context) == 1
    assert stream(context).studies == 26


def test_of_two_nodes_one_counts(
    context: FlowContext, analysed: Analysed, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysed(4)
    slow = DriftWatch(context, {})
    read = slow._read

    def late() -> object:
        work = read()
        sweep(context)
        return work

    monkeypatch.setattr(slow, "_read", late)
    assert slow.sweep() == 0
    assert stream(context).studies == 4


def test_too_many_senders_share_a_stream(
    context: FlowContext, analysed: Analysed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observations, "_SENDERS", 2)
    for title in ("A", "B", "C", "D"):
        analysed(2, title=title)
    sweep(context)
    with context.database.read() as session:
        found = {one.sender: one.studies for one in observations.streams(session)}
    assert found == {"A": 2, "B": 2, "": 4}


def test_metrics_tell_of_senders_without_their_titles(
    context: FlowContext, analysed: Analysed
) -> None:
    analysed(20, mean=4.0)
    analysed(5, title="ROOM2")
    sweep(context)
    found = values(Metrics(context))
    assert found["pacs_ai_drift_alarms", "DX", "demo", "other"] == 1
    assert found["pacs_ai_drift_distance", "DX", "demo", "other", "input.mean"] > 0.8
    assert found["pacs_ai_drift_psi", "DX", "demo", "other", "input.mean"] > 0.25
    assert found["pacs_ai_scores_count", "Lesion", "demo", "other"] == 25
    assert found["pacs_ai_scores_bucket", "Lesion", "0.2", "demo", "other"] == 0
    assert found["pacs_ai_scores_bucket", "Lesion", "0.3", "demo", "other"] == 25


def test_a_version_that_became_active_later_is_compared(
    context: FlowContext, analysed: Analysed, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = load_bundle("demo")
    monkeypatch.setitem(globals(), "MANIFEST", bundle.manifest_sha256)
    analysed(20, mean=9.0)
    watch = DriftWatch(context, {})
    assert watch.sweep() == 20
    assert list(drift_alarms(context)) == []
    later = Version("2", "", bundle.manifest_sha256, "demo")
    with context.write() as transaction:
        active_models.activate(transaction, "demo", later, Version("1", "", "", ""))
    analysed(20, mean=9.0)
    assert watch.sweep() == 20
    [alarm] = drift_alarms(context)
    assert alarm.statistics.startswith("input.mean ")
