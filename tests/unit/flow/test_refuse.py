from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_ai.analysis.make import make_refusals
from pacs_ai.analysis.predict import Source
from pacs_ai.config import Config, DimsePeer, Rule
from pacs_ai.domain import JobId, ResultKind
from pacs_ai.errors import NoFittingSeries
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.store_results import (
    SpoolWriter,
    addressed,
    asking_for_refusals,
    result_context_of,
    wanted_results,
)
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import instances, jobs, studies
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Job, Study
from tests.spool_files import result_paths
from tests.unit.store.samples import MODEL

WHY = NoFittingSeries("no suitable image for MG among 1 instance (1 other modality)")
PEERS = {
    "pacs": DimsePeer(ae_title="PACS", host="h", port=104),
    "viewer": DimsePeer(ae_title="VIEW", host="h", port=104, results=("pdf",)),
}


def asked(context: FlowContext, *rules: Rule) -> list[StoredResult]:
    """Reject the study that was received, under these rules."""
    config = Config(storage=context.config.storage, peers=PEERS, rules=rules)
    changed = replace(context, config=config)
    with context.write() as transaction:
        studies.close(transaction, 1, 1, reason="quiet")
        study = transaction.get_one(Study, 1)
        names = [rule.name for rule in rules]
        job_id = jobs.create(transaction, study, names, "demo", MODEL)
    with context.database.read() as session:
        job = session.get_one(Job, JobId(str(job_id)))
        rows = instances.of_revision(session, 1, 1)
    sources = [Source(context.spool.path_of(row.path), row.id) for row in rows]
    wanted = wanted_results(
        changed.config, rules, lambda _evidence: result_context_of(changed, job)
    )
    writer = SpoolWriter(changed)
    outcome = make_refusals(MODEL, sources, WHY, wanted.refusals, wanted.context_of, writer)
    assert not outcome.failed
    return addressed(changed, job, outcome.made, asking_for_refusals(rules), positive=False)


@pytest.fixture(autouse=True)
def _received(send: Callable[..., StoreAnswer], ct: Dataset) -> None:
    assert send(ct).status == 0


def rule(name: str, results: tuple[ResultKind, ...], *, ask: bool, to: tuple[str, ...] = ()):
    when = "report" if ask else "nothing"
    return Rule(name=name, model="demo", results=results, when_not_analysable=when, send_to=to)


def test_only_rules_that_ask_get_something(context: FlowContext) -> None:
    made = asked(
        context,
        rule("quiet", (ResultKind.HL7, ResultKind.REPORT), ask=False, to=("pacs",)),
        rule("asks", (ResultKind.PDF, ResultKind.CAPTURE), ask=True, to=("pacs", "viewer")),
    )
    assert [(one.kind, one.send_to) for one in made] == [("pdf", ("pacs", "viewer"))]
    assert context.spool.path_of(made[0].path).is_file()


def test_files_that_are_no_objects_go_to_nobody(context: FlowContext) -> None:
    kinds = (ResultKind.REPORT, ResultKind.HL7, ResultKind.FHIR)
    made = asked(context, rule("asks", kinds, ask=True, to=("pacs",)))
    assert [(one.kind, one.send_to, Path(one.path).suffix) for one in made] == [
        ("report", ("pacs",), ".dcm"),
        ("hl7", (), ".hl7"),
        ("fhir", (), ".json"),
    ]


def test_nobody_asked_nothing_made(context: FlowContext) -> None:
    assert asked(context, rule("quiet", (ResultKind.REPORT,), ask=False)) == []
    assert result_paths(context.spool) == set()
