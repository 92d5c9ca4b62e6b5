"""Structured reports that come back are feedback on the results that they refer to."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.domain import StudyId, StudyState
from pacs_ai.feedback_kinds import FeedbackKind
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.feedback.documents import FeedbackDocuments
from pacs_ai.flow.operate import feedback as operate
from pacs_ai.flow.operate.deliveries import cancel_deliveries
from pacs_ai.flow.operate.feedback import FeedbackRecord
from pacs_ai.flow.retain import retain
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import instances, studies
from pacs_ai.store.schema import Event, Instance, Study
from pacs_ai.store.selection import Filter
from tests.feedback_reports import Group, Report
from tests.unit.flow import feedback_rows as rows
from tests.unit.flow.feedback_rows import MODELS, Made

ACCEPT, MODIFY, REJECT = FeedbackKind
LESION, NODULE = ("CL", "99TEST"), ("CN", "99TEST")
Send = Callable[..., StoreAnswer]


@dataclass
class Inbox:
    """A node with a result, to which reports are sent."""

    context: FlowContext
    send: Send
    study: Dataset
    made: Made

    def __post_init__(self) -> None:
        self.documents = FeedbackDocuments(self.context)

    def report(self, **said: Any) -> Report:
        """A report about the result, if not said otherwise."""
        return Report(self.study, **{"composites": [self.made.uid], **said})

    def take(self, *reports: Report | Dataset) -> None:
        """Receive reports, and read them."""
        for report in reports:
            sent = report.dataset() if isinstance(report, Report) else report
            assert self.send(sent).status == 0
        self.documents.sweep()

    @property
    def kept(self) -> list[FeedbackRecord]:
        return operate.list_feedback(self.context, Filter(limit=100))[::-1]

    @property
    def readings(self) -> list[str]:
        with self.context.database.read() as session:
            return [row.feedback for row in session.query(Instance).filter_by(modality="SR")]

    def file_of(self, report: Report) -> Path:
        with self.context.database.read() as session:
            row = instances.find(session, report.uid)
        assert row is not None
        return self.context.spool.path_of(row.path)


@pytest.fixture
def made(context: FlowContext, send: Send, ct: Dataset) -> Made:
    """The result of a study that was received: a lesion is present, a nodule is absent."""
    assert send(ct).status == 0
    with context.write() as transaction:
        study = transaction.get_one(Study, 1)
        assert studies.close(transaction, StudyId(1), 1, reason="quiet")
        assert studies.routed(transaction, StudyId(1), 1, reason="")
        transaction.refresh(study)
        decisions = {"Lesion": "present", "Nodule": "absent"}
        return rows.analysed(transaction, study, MODELS[0], "2.25.1", decisions)


@pytest.fixture
def inbox(context: FlowContext, send: Send, ct: Dataset, made: Made) -> Inbox:
    return Inbox(context, send, ct, made)


@pytest.mark.parametrize("reference", ["composites", "predecessors", "evidence"])
@pytest.mark.parametrize("kind", list(FeedbackKind))
def test_a_report_that_judges_a_result_is_feedback(
    inbox: Inbox, reference: str, kind: FeedbackKind
):
    groups = [Group(LESION, presence="absent")] if kind is MODIFY else []
    refers = {"composites": [], reference: ["1.9.9", inbox.made.uid]}
    report = inbox.report(kind=kind, groups=groups, **refers)
    inbox.take(report)
    [record] = inbox.kept
    assert (record.sop_instance_uid, record.job) == (inbox.made.uid, inbox.made.job)
    assert (record.kind, record.source, record.document_uid) == (kind, "sr", report.uid)
    assert record.user.startswith("sr:")
    assert "Reader" not in record.user
    modified = {"Lesion": "absent", "Nodule": "absent"}
    expected = {ACCEPT: inbox.made.decisions, MODIFY: modified, REJECT: {}}
    assert record.labels == expected[kind]
    assert inbox.readings == ["entered"]


@pytest.mark.parametrize(
    ("groups", "kind", "labels"),
    [
        ([Group(LESION, ACCEPT)], ACCEPT, ("present", "absent")),
        ([Group(LESION, REJECT)], MODIFY, ("absent", "absent")),
        ([Group(NODULE, REJECT)], MODIFY, ("present", "present")),
        ([Group(NODULE, MODIFY, "uncertain")], MODIFY, ("present", "uncertain")),
        ([Group(LESION, presence="present")], ACCEPT, ("present", "absent")),
        ([Group(LESION, presence="absent")] * 2, MODIFY, ("absent", "absent")),
    ],
)
def test_findings_are_judged_one_by_one(
    inbox: Inbox, groups: list[Group], kind: FeedbackKind, labels: tuple[str, str]
):
    inbox.take(inbox.report(groups=groups))
    [record] = inbox.kept
    assert (record.kind, tuple(record.labels.values())) == (kind, labels)


def test_what_is_changed_may_be_left_open(inbox: Inbox):
    inbox.take(inbox.report(kind=MODIFY))
    assert [(one.kind, one.labels) for one in inbox.kept] == [(MODIFY, {})]


@pytest.mark.parametrize(
    "said",
    [
        {"composites": ["1.9.9"], "kind": ACCEPT},
        {"composites": [], "kind": REJECT},
        {},
        {"groups": [Group(("X", "99TEST"), presence="present")]},
        {"groups": [Group(LESION, presence="absent")], "observer": ""},
    ],
)
def test_other_reports_are_only_stored(inbox: Inbox, said: dict[str, Any]):
    inbox.take(inbox.report(**said))
    assert (inbox.kept, inbox.readings) == ([], ["none"])


@pytest.mark.parametrize(
    ("kind", "groups", "said"),
    [
        (None, [Group(LESION, ACCEPT, "absent")], "what is right of 'Lesion'"),
        (None, [Group(LESION, MODIFY)], "what is right of 'Lesion'"),
        (
            None,
            [Group(LESION, presence="absent"), Group(LESION, presence="present")],
            "different things of 'Lesion'",
        ),
        (ACCEPT, [Group(LESION, presence="absent")], "use modify"),
    ],
)
def test_what_is_not_clear_is_refused_in_the_ledger(
    inbox: Inbox, kind: FeedbackKind | None, groups: list[Group], said: str
):
    report = inbox.report(kind=kind, groups=groups)
    inbox.take(report)
    assert (inbox.kept, inbox.readings) == ([], ["refused"])
    with inbox.context.database.read() as session:
        [event] = session.query(Event).filter_by(entity="document")
    assert (event.to_state, event.entity_id) == ("REFUSED", str(inbox.made.study))
    assert event.note.startswith(f"structured report {report.uid}: ")
    assert said in event.note


def test_a_report_about_two_models_says_of_each_finding_whose_it_is(inbox: Inbox):
    first = inbox.made.uid
    with inbox.context.write() as transaction:
        study = transaction.get_one(Study, inbox.made.study)
        other = rows.analysed(transaction, study, MODELS[2], "2.25.2", inbox.made.decisions).uid
    groups = [Group(LESION, REJECT, refers_to=[first]), Group(LESION, ACCEPT, refers_to=[other])]
    about = {"composites": [], "evidence": [first, other]}
    inbox.take(inbox.report(kind=ACCEPT, **about), inbox.report(groups=groups, **about))
    assert inbox.readings == ["refused", "entered"]
    assert {one.sop_instance_uid: one.kind for one in inbox.kept} == {first: MODIFY, other: ACCEPT}


def test_a_report_about_an_amended_result_is_bound_to_it(inbox: Inbox):
    with inbox.context.write() as transaction:
        study = transaction.get_one(Study, inbox.made.study)
        rows.amend(transaction, study)
        new = rows.analysed(transaction, study, MODELS[0], "2.25.2", inbox.made.decisions)
    inbox.take(inbox.report(evidence=[new.uid], kind=ACCEPT))
    [record] = inbox.kept
    assert (record.sop_instance_uid, record.holds) == (inbox.made.uid, "amended")


def test_a_report_that_comes_again_changes_nothing(inbox: Inbox):
    report = inbox.report(kind=ACCEPT).dataset()
    inbox.take(report)
    inbox.take(report)
    with inbox.context.write() as transaction:  # as if its study had been deleted and sent again
        transaction.query(Instance).filter_by(modality="SR").update({"feedback": ""})
    inbox.documents.sweep()
    assert len(inbox.kept) == 1


def test_a_report_of_another_study_is_refused(inbox: Inbox):
    report = inbox.report(kind=ACCEPT).dataset()
    report.StudyInstanceUID = "1.2.3.4"
    inbox.take(report)
    assert (inbox.kept, inbox.readings) == ([], ["refused"])


def test_a_report_that_names_another_patient_waits_for_the_decision_and_is_refused(inbox: Inbox):
    report = inbox.report(kind=ACCEPT).dataset()
    report.PatientID = "somebody else"
    inbox.take(report)
    assert (inbox.kept, inbox.readings) == ([], [""])
    with inbox.context.write() as transaction:
        transaction.get_one(Study, inbox.made.study).state = StudyState.ROUTED
    inbox.documents.sweep()
    assert (inbox.kept, inbox.readings) == ([], ["refused"])


def test_a_report_about_a_withdrawn_result_names_the_patient_of_then(inbox: Inbox):
    assert inbox.send(inbox.report(kind=REJECT).dataset()).status == 0
    with inbox.context.write() as transaction:
        study = transaction.get_one(Study, inbox.made.study)
        study.correction, study.patient_number = 1, 2
    inbox.documents.sweep()
    [record] = inbox.kept
    assert (record.sop_instance_uid, record.holds) == (inbox.made.uid, "withdrawn")


def test_a_file_that_is_out_of_reach_is_read_later(inbox: Inbox, clock: ManualClock):
    report = inbox.report(kind=ACCEPT)
    assert inbox.send(report.dataset()).status == 0
    file = inbox.file_of(report)
    away = file.rename(file.with_suffix(".away"))
    for _ in range(3):
        inbox.documents.sweep()
    away.rename(file)
    inbox.documents.sweep()
    assert inbox.readings == [""], "it is tried again after a pause"
    clock.advance(10)
    inbox.documents.sweep()
    assert inbox.readings == ["entered"]


def test_the_files_of_a_study_stay_until_its_reports_are_read(inbox: Inbox, clock: ManualClock):
    assert inbox.send(inbox.report(kind=ACCEPT).dataset()).status == 0
    cancel_deliveries(inbox.context, [1])
    clock.advance(8 * 86400)
    assert retain(inbox.context) == 0
    inbox.documents.sweep()
    assert inbox.readings == ["entered"]
    assert retain(inbox.context) == 1
    [record] = inbox.kept
    assert (record.sop_instance_uid, record.holds) == (inbox.made.uid, "current")


def test_a_report_that_cannot_be_read_and_one_of_ours_are_only_stored(inbox: Inbox):
    ours = inbox.report(kind=ACCEPT).dataset()
    ours.Manufacturer, ours.ManufacturerModelName = "pacs-ai", "pacs-ai node"
    broken = inbox.report(kind=ACCEPT)
    assert inbox.send(broken.dataset()).status == 0
    inbox.file_of(broken).write_bytes(b"no DICOM")
    inbox.take(ours)
    assert (inbox.kept, inbox.readings) == ([], ["none", "none"])


def test_readers_are_told_apart_by_a_hash_of_their_name(inbox: Inbox):
    readers = ("Reader^Ann", "Reader^Bob", "Reader^Ann", "")
    inbox.take(*(inbox.report(kind=ACCEPT, observer=name) for name in readers))
    ann, bob, again, nobody = (one.user for one in inbox.kept)
    assert (again, nobody) == (ann, "sr:MODALITY")
    assert ann != bob
    assert [one.counts for one in inbox.kept] == [False, True, True, True]
