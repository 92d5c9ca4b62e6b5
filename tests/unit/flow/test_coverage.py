"""A study of which images cannot be read, through the whole flow, in every kind of result."""

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa

from pacs_ai.clock import ManualClock
from pacs_ai.config import Rule
from pacs_ai.domain import Decision, JobId, JobState, ResultKind
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.results.sr.read_report import read_findings, read_reservations
from pacs_ai.store.schema import Instance, Job
from tests.broken import INCOMPLETE, SHARES, broken_study
from tests.unit.flow.analysed import Patient, demo, on_a_node

Send = Callable[..., StoreAnswer]

ALWAYS = (
    *("report", "capture", "map", "pdf", "hl7", "fhir"),
    *("stack", "side_by_side", "contact_sheet"),
)
"""Kinds that a study without a finding gets."""

RULE = Rule(name="all", model="demo", results=tuple(ResultKind))


def received(patient: Patient, send: Send, files: list[Path]) -> None:
    for file in files:
        assert send(pydicom.dcmread(file)).status == 0x0000
    patient.route()


def first(patient: Patient) -> dict[str, Path]:
    """The first result of each kind."""
    found = reversed(patient.results())
    return {one.kind: patient.context.spool.path_of(one.path) for one in found}


def words(path: Path) -> str:
    """All that a result says: text as it is, a data set without its pixels and pages."""
    if path.suffix != ".dcm":
        return path.read_text("utf-8")
    said = pydicom.dcmread(path)
    bulk = ("PixelData", "FloatPixelData", "EncapsulatedDocument")
    return "\n".join(str(one.value) for one in said.iterall() if one.keyword not in bulk)


@pytest.mark.parametrize("frames", [False, True], ids=["images", "frames"])
@pytest.mark.parametrize("share", SHARES)
def test_every_kind_says_what_was_not_looked_at(
    share: tuple[int, int],
    frames: bool,
    context: FlowContext,
    clock: ManualClock,
    send: Send,
    tmp_path: Path,
) -> None:
    lost, total = share
    patient = on_a_node(context, clock, RULE)
    received(patient, send, broken_study(tmp_path / "study", lost, total, frames=frames))
    job = patient.analyse()
    assert (job.state, job.error_code) == (JobState.SUCCEEDED, "")
    results = first(patient)
    assert set(results) == set(ALWAYS)
    extent = f"{total - lost} of {total} {'frames' if frames else 'images'}"
    incomplete = share in INCOMPLETE
    for kind in set(ALWAYS) - {"pdf"}:  # a page is compressed: tests of its own read it
        said = words(results[kind])
        assert (extent in said) is (lost > 0 or kind in ("hl7", "fhir")), kind
        assert not (incomplete and "Nothing found" in said), kind
        assert not (incomplete and "absent" in said.replace("absent below", "")), kind
    assert (extent in job.summary) is (lost > 0)
    report = pydicom.dcmread(results["report"])
    decisions = {one.decision for one in read_findings(report) if one.name == "Lesion"}
    assert decisions == {Decision.UNDETERMINED if incomplete else Decision.ABSENT}
    cautions = " ".join(read_reservations(report))
    assert (f"{lost} unreadable" in cautions) is (lost > 0)
    assert ("incompletely analysed" in cautions) is incomplete


def unreadable(patient: Patient) -> list[str]:
    with patient.context.database.read() as session:
        return [row.unusable_reason for row in session.scalars(sa.select(Instance))]


def test_what_was_unreadable_in_an_earlier_revision_still_counts(
    context: FlowContext, clock: ManualClock, send: Send, tmp_path: Path
) -> None:
    patient = on_a_node(context, clock, RULE)
    *files, late = broken_study(tmp_path / "study", 10, 20, frames=False)
    received(patient, send, files)
    assert "10 of 19 images" in patient.analyse().summary
    assert sum(map(bool, unreadable(patient))) == 9
    received(patient, send, [late])
    with context.database.read() as session:
        [second] = session.scalars(sa.select(Job.id).where(Job.revision == 2))
    analyse(patient.context, {"demo": demo()}, JobId(second))
    with context.database.read() as session:
        summary = session.get_one(Job, second).summary
    assert "10 of 20 images" in summary


def test_an_instance_that_can_be_read_after_all_is_used_again(
    context: FlowContext, clock: ManualClock, send: Send, tmp_path: Path
) -> None:
    """As after an update that brings a decoder."""
    patient = on_a_node(context, clock, RULE)
    received(patient, send, broken_study(tmp_path / "study", 0, 4, frames=False))
    with context.write() as transaction:
        transaction.execute(sa.update(Instance).values(unusable_reason="no codec"))
    assert "lesion" in patient.analyse().summary
    assert unreadable(patient) == [""] * 4
