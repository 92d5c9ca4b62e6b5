"""Feedback is bound to the result that it is about, on every database."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_ai.feedback_kinds import FeedbackKind, Label
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.feedback.documents import FeedbackDocuments
from pacs_ai.flow.operate import feedback as operate
from pacs_ai.store.selection import Filter
from pacs_ai.store.session import Database
from tests.databases import new_database, with_schema
from tests.feedback_reports import Group, Report
from tests.unit.flow.conftest import arrive
from tests.unit.flow.feedback_rows import Made, many_results
from tests.unit.flow.ledger_node import node_on

ALL = Filter(limit=10**6)


@pytest.fixture(params=["sqlite", "postgresql"])
def context(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FlowContext]:
    if request.param == "sqlite":
        database: Database = new_database(tmp_path)
    else:
        database = with_schema(request.getfixturevalue("postgres"))
    yield node_on(database, tmp_path)
    database.close()


@dataclass
class Said:
    """What somebody says of a result, and the row that came of it."""

    made: Made
    kind: FeedbackKind
    labels: dict[str, Label]
    user: int
    record_id: int = 0
    document: Report | None = None


def judgement(rng: random.Random, made: Made, user: int) -> Said:
    """A kind, and labels that fit it."""
    kind = rng.choice(list(FeedbackKind))
    name = rng.choice(list(made.decisions))
    others = [one for one in (Label.PRESENT, Label.ABSENT) if one != made.decisions[name]]
    return Said(made, kind, {} if kind is FeedbackKind.ACCEPT else {name: others[0]}, user)


def say(context: FlowContext, rng: random.Random, said: Said) -> None:
    """Say it by the page, the REST API or the command line."""
    made = said.made
    reference = rng.choice((made.uid, made.job, made.job[:20]))
    node = replace(context, user=f"reader {said.user}")
    source = rng.choice(("api", "page", "cli"))
    record = operate.add_feedback(node, reference, said.kind, said.labels, source)
    said.record_id = record.id


def send(context: FlowContext, rng: random.Random, said: Said) -> None:
    """Send it as a structured report, some of them twice."""
    study = Dataset()
    study.StudyInstanceUID = said.made.study_uid
    study.PatientID = f"p{said.made.study_uid.rpartition('.')[2]}"
    groups = [Group((f"C{name[0]}", "99TEST"), presence=one) for name, one in said.labels.items()]
    way = rng.choice(("composites", "predecessors", "evidence"))
    observer = f"Reader^{said.user}"
    report = Report(
        study, kind=said.kind, groups=groups, observer=observer, **{way: [said.made.uid]}
    )
    said.document, sent = report, report.dataset()
    for _ in range(rng.choice((1, 1, 2))):
        assert arrive(context, Arrivals(), sent, "a").status == 0


@pytest.mark.parametrize("number", [200, pytest.param(1000, marks=pytest.mark.thorough)])
def test_many_are_linked_and_none_to_another_result(context: FlowContext, number: int):
    rng = random.Random(1)  # noqa: S311 - test data
    results = many_results(context, 60)
    all_said = [judgement(rng, rng.choice(results.all), each % 7) for each in range(number)]
    for said in all_said:
        rng.choice((say, say, send))(context, rng, said)
    documents = FeedbackDocuments(context)
    for _ in range(number // 50):
        documents.sweep()
    kept = {one.id: one for one in operate.list_feedback(context, ALL)}
    assert len(kept) == number
    by_document = {one.document_uid: one for one in kept.values()}
    for said in all_said:
        made = said.made
        row = by_document[said.document.uid] if said.document else kept[said.record_id]
        assert (row.sop_instance_uid, row.job, row.study) == (made.uid, made.job, made.study)
        assert row.model == f"{made.model.name} {made.model.version}"
        assert (row.manifest_sha256, row.kind) == (made.model.manifest_sha256, said.kind)
        assert row.decisions == {"No finding": "", **made.decisions}
        assert row.labels.items() >= said.labels.items()
        assert row.study_instance_uid == made.study_uid
        assert row.holds == results.state_of(made.uid)
    newest = {(one.sop_instance_uid, one.user): one.id for one in reversed(list(kept.values()))}
    assert {one.id for one in kept.values() if one.counts} == set(newest.values())
