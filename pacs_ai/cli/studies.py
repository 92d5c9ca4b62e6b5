"""``pacs-ai studies``: what was received and what became of it."""

from typing import Annotated

import typer

from pacs_ai.cli.node import opened_node
from pacs_ai.cli.options import (
    AsJson,
    ConfigPath,
    Limit,
    Since,
    Verbose,
    group,
    moment,
    read_config,
)
from pacs_ai.cli.records import (
    delivery_record,
    event_record,
    instance_record,
    job_record,
    result_record,
    study_record,
)
from pacs_ai.cli.tables import cell, print_json, print_record, print_table, show_records
from pacs_ai.domain import JobId, StudyState
from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.flow import complete
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import overview, results
from pacs_ai.store import studies as rows
from pacs_ai.store.operator import ACTOR
from pacs_ai.store.overview import Filter, StudyLine

app = group("Studies: what was received and what became of it.")

_COLUMNS = (
    "id",
    "study_instance_uid",
    "state",
    "revision",
    "modality",
    "instances",
    "calling_aet",
    "last_received_at",
    "outcome",
    "delivered",
    "seconds",
    "reason",
)
_JOB_COLUMNS = ("id", "revision", "model", "state", "attempt", "seconds", "outcome")
_DELIVERY_COLUMNS = (
    "id",
    "destination",
    "result",
    "state",
    "attempt",
    "status",
    "stored_at",
    "committed_at",
    "reason",
)
_EVENT_COLUMNS = ("at", "entity", "from_state", "to_state", "actor", "note")

Reference = Annotated[str, typer.Argument(metavar="STUDY", help="Row id or Study Instance UID.")]
Accession = Annotated[
    str | None,
    typer.Option("--accession", metavar="X", help="Find by accession number.", show_default=False),
]


@app.command("list")
def list_studies(
    *,
    state: Annotated[
        StudyState | None,
        typer.Option("--state", case_sensitive=False, help="In this state.", show_default=False),
    ] = None,
    since: Since = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """List studies, the last active first; with the seconds from last image to result."""
    wanted = Filter(state, moment(since), limit)
    with (
        opened_node(read_config(config, verbose=verbose)) as node,
        node.database.read() as session,
    ):
        records = [study_record(line) for line in overview.studies(session, wanted)]
    show_records(records, _COLUMNS, as_json=as_json, nothing="no studies")


@app.command()
def show(
    study: Annotated[
        str | None,
        typer.Argument(metavar="STUDY", help="Row id or Study Instance UID.", show_default=False),
    ] = None,
    *,
    accession: Accession = None,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Show all of a study: what was not analysed, jobs, results, deliveries, audit trail."""
    if (study is None) == (accession is None):
        raise typer.BadParameter("give either a STUDY or --accession")
    with opened_node(read_config(config, verbose=verbose)) as node:
        lines = [_find(node, study)] if study is not None else _by_accession(node, accession or "")
        shown = [_details(node, line) for line in lines]
    if as_json:
        print_json(shown)
        return
    for details in shown:
        _print_details(details)


@app.command()
def close(study: Reference, *, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """Close a study that is still RECEIVING: wait for nothing more."""
    with opened_node(read_config(config, verbose=verbose)) as node:
        line = _find(node, study)
        _close(node, line)
    print(f"study {line.study.id}: closed")


@app.command()
def reroute(study: Reference, *, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """Apply the rules anew, as a new revision: after a change of rules or models."""
    with opened_node(read_config(config, verbose=verbose)) as node:
        line = _find(node, study)
        if line.study.state not in (StudyState.COMPLETE, StudyState.ROUTED):
            raise IllegalTransition(f"study {line.study.id} is {line.study.state}, not ROUTED")
        revision = _reopen(node, line, "reroute")
    print(f"study {line.study.id}: revision {revision} goes through the rules")


@app.command()
def resolve(study: Reference, *, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """End a CONFLICT: you have looked, and all its instances are of one patient."""
    with opened_node(read_config(config, verbose=verbose)) as node:
        line = _find(node, study)
        if line.study.state != StudyState.CONFLICT:
            raise IllegalTransition(f"study {line.study.id} is {line.study.state}, not CONFLICT")
        revision = _reopen(node, line, "resolve")
    print(f"study {line.study.id}: revision {revision} goes through the rules")


def _find(node: FlowContext, reference: str) -> StudyLine:
    with node.database.read() as session:
        line = overview.study(session, reference)
    if line is None:
        raise StateError(f"no study {reference}")
    return line


def _by_accession(node: FlowContext, accession: str) -> list[StudyLine]:
    with node.database.read() as session:
        lines = overview.studies(session, Filter(), accession_key=node.accession_key(accession))
    if not lines:
        raise StateError("no study with this accession number")
    return lines


def _reopen(node: FlowContext, line: StudyLine, note: str) -> int:
    with node.database.write() as session:
        revision = rows.reopen(session, line.study, now=node.now(), actor=ACTOR, note=note)
    _close(node, _find(node, str(line.study.id)))
    return revision


def _close(node: FlowContext, line: StudyLine) -> None:
    if not complete.close(node, line.study, "operator", actor=ACTOR):
        raise IllegalTransition(f"study {line.study.id} is {line.study.state}, not RECEIVING")


def _details(node: FlowContext, line: StudyLine) -> dict[str, object]:
    keys = [("study", str(line.study.id))]
    keys += [("job", job.id) for job in line.jobs]
    keys += [("delivery", str(delivery.id)) for delivery, _ in line.deliveries]
    with node.database.read() as session:
        trail = [event for key in keys for event in overview.events(session, *key)]
        made = [
            result_record(result, node.spool)
            for job in line.jobs
            for result in results.of_job(session, JobId(job.id))
        ]
        left_out = [instance_record(one) for one in overview.left_out(session, line.study.id)]
    return {
        **study_record(line),
        "not_analysed": left_out,
        "jobs": [job_record(job, line.study) for job in line.jobs],
        "results": made,
        "deliveries": [delivery_record(*pair) for pair in line.deliveries],
        "events": [event_record(event) for event in sorted(trail, key=lambda event: event.id)],
    }


def _print_details(details: dict[str, object]) -> None:
    parts = {
        "not_analysed": ("sop_instance_uid", "revision", "reason"),
        "jobs": _JOB_COLUMNS,
        "results": ("result", "sop_instance_uid", "file"),
        "deliveries": _DELIVERY_COLUMNS,
        "events": _EVENT_COLUMNS,
    }
    print_record({key: value for key, value in details.items() if key not in parts}, "study")
    for name, columns in parts.items():
        records = details[name]
        if isinstance(records, list) and records:
            print()
            lines = [[cell(record[key]) for key in columns] for record in records]
            print_table(columns, lines, name.replace("_", " "))
