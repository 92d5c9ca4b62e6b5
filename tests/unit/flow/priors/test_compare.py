"""A job is compared with what this node has found in an earlier study, by the real model."""

from collections.abc import Callable
from dataclasses import replace

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config
from pacs_ai.domain import JobId, StudyId
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.flow.operate.trace import trace_study
from pacs_ai.flow.priors.search import search_priors
from pacs_ai.flow.recover import LeaseWatch, sweep
from pacs_ai.flow.route import route
from pacs_ai.flow.store_results import result_context_of
from pacs_ai.flow.timeline import Step
from pacs_ai.results.sr.report_text import readable
from pacs_ai.store import prior_searches, studies
from pacs_ai.store.prior_searches import PRIORS
from pacs_ai.store.schema import Event, Job, Result, Study
from tests.unit.flow.analysed import demo
from tests.unit.flow.priors.histories import Exam, history

Send = Callable[..., object]


class Compared:
    """A node whose only rule compares."""

    def __init__(self, context: FlowContext, send: Send, ct: Dataset, **rule: object) -> None:
        given = {"rules": [{"name": "one", "model": "demo", "priors": {}, **rule}]}
        config = Config.model_validate({**context.config.model_dump(), **given})
        self.context, self.send, self.ct = replace(context, config=config), send, ct

    def route(self, exam: Exam) -> str:
        """Let a study arrive and be routed; returns its job."""
        image = exam.image(self.ct, 1)
        self.send(image)
        with self.context.write() as transaction:
            query = sa.select(Study).where(Study.study_instance_uid == image.StudyInstanceUID)
            study = transaction.scalars(query).one()
            studies.close(transaction, StudyId(study.id), study.revision, reason="quiet")
        route(self.context, {"demo": demo().identity}, pair_key(study.id, study.revision))
        with self.context.database.read() as session:
            return session.scalars(sa.select(Job.id).where(Job.study_id == study.id)).one()

    def analyse(self, job_id: str) -> Job:
        analyse(self.context, {"demo": demo()}, JobId(job_id))
        with self.context.database.read() as session:
            return session.get_one(Job, job_id)

    def report(self, job: Job) -> Dataset:
        with self.context.database.read() as session:
            query = sa.select(Result).where(Result.job_id == job.id, Result.kind == "report")
            row = session.scalars(query).one()
        return pydicom.dcmread(self.context.spool.path_of(row.path))


@pytest.fixture
def exams() -> tuple[Exam, Exam]:
    _, now = history(1)
    now = replace(now, modality="CT", part="CHEST", side="")
    return replace(now, day=now.day.replace(year=2025)), now


def test_the_report_names_the_earlier_study_and_its_report(
    context: FlowContext, send: Send, ct: Dataset, exams: tuple[Exam, Exam]
) -> None:
    node = Compared(context, send, ct)
    earlier, later = (node.analyse(node.route(exam)) for exam in exams)
    assert readable(node.report(earlier)).change == "", "there was nothing before it"
    report = node.report(later)
    assert "Compared with the study of 2025-03-01" in readable(report).change
    [other] = report.PertinentOtherEvidenceSequence
    named = other.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert named.ReferencedSOPInstanceUID == node.report(earlier).SOPInstanceUID
    trace = trace_study(node.context, str(later.study_id))
    [step] = [one for one in trace.steps if one.step == Step.PRIOR_CHOSEN]
    assert step.reason.startswith(f"compared with the result of study {earlier.study_id} by demo")
    # what evidence is made of says the same
    prior = result_context_of(node.context, later).prior
    assert prior is not None
    assert prior.day == "2025-03-01"


def test_no_body_part_stands_in_the_database(
    context: FlowContext, send: Send, ct: Dataset, exams: tuple[Exam, Exam]
) -> None:
    node = Compared(context, send, ct)
    node.analyse(node.route(exams[0]))
    with node.context.database.read() as session:
        tables = sa.inspect(session.connection()).get_table_names()
        for table in tables:
            rows = session.execute(sa.text(f"SELECT * FROM {table}")).all()  # noqa: S608 - a test
            assert "CHEST" not in str(rows).upper(), table


def test_a_job_waits_for_an_earlier_study_and_for_no_longer(
    context: FlowContext, clock: ManualClock, send: Send, ct: Dataset, exams: tuple[Exam, Exam]
) -> None:

    node = Compared(context, send, ct, priors={"analyse": True, "wait_seconds": 60})
    job = node.route(exams[1])
    assert node.analyse(job).error_code == PRIORS
    sweep(node.context, LeaseWatch())
    assert node.analyse(job).state == "WAITING"
    clock.advance(61)
    sweep(node.context, LeaseWatch())
    done = node.analyse(job)
    assert done.state == "SUCCEEDED"
    assert readable(node.report(done)).change == (
        "No prior compared: an earlier study was to be fetched and analysed, and it was not"
        " ready in time."
    )


def test_a_clock_that_is_set_back_holds_no_job_up(
    context: FlowContext, clock: ManualClock, send: Send, ct: Dataset, exams: tuple[Exam, Exam]
) -> None:

    node = Compared(context, send, ct, priors={"analyse": True, "wait_seconds": 60})
    job = node.route(exams[1])
    node.analyse(job)
    clock.jump(-1e8)
    sweep(node.context, LeaseWatch())
    assert node.analyse(job).state == "SUCCEEDED"


def test_an_urgent_job_does_not_wait(
    context: FlowContext, send: Send, ct: Dataset, exams: tuple[Exam, Exam]
) -> None:
    rule = {"priority": "urgent", "priors": {"analyse": True}}
    node = Compared(context, send, ct, **rule)
    assert node.analyse(node.route(exams[1])).state == "SUCCEEDED"


def test_an_earlier_study_of_another_version_is_analysed_now(
    context: FlowContext, send: Send, ct: Dataset, exams: tuple[Exam, Exam]
) -> None:
    """The model was replaced: the study that is here is analysed again, and no report is made."""

    node = Compared(context, send, ct, priors={"analyse": True})
    first = node.route(exams[0])
    search_priors(node.context)
    sweep(node.context, LeaseWatch())
    node.analyse(first)
    with node.context.write() as transaction:
        transaction.execute(sa.update(Job).values(model_version="0.1", manifest_sha256="0" * 64))
    job = node.route(exams[1])
    assert node.analyse(job).error_code == PRIORS
    search_priors(node.context)
    sweep(node.context, LeaseWatch())
    assert node.analyse(job).state == "WAITING", "the earlier study is not analysed yet"
    with node.context.database.read() as session:
        [again] = session.scalars(sa.select(Job).where(Job.rules == sa.text("'[]'"))).all()
    assert again.priority == 2
    assert node.analyse(again.id).state == "SUCCEEDED"
    sweep(node.context, LeaseWatch())
    done = node.analyse(job)
    assert "Compared with the study of 2025-03-01" in readable(node.report(done)).change
    with node.context.database.read() as session:
        assert session.scalars(sa.select(Result).where(Result.job_id == again.id)).all() == []
        search = prior_searches.of_job(session, done.id)
        assert search is not None
        assert not search.late
        notes = session.scalars(sa.select(Event.note).where(Event.entity == "prior")).all()
    assert len(notes) == 2, "nobody has asked to compare the earlier study"
