"""``pacs-ai jobs``: one model's work on one study revision."""

from typing import Annotated

import typer

from pacs_ai.cli.again import check_choice, filter_of, states_of, tell, try_again
from pacs_ai.cli.lookup import find_job, selection
from pacs_ai.cli.node import opened_node
from pacs_ai.cli.options import (
    AsJson,
    Before,
    ConfigPath,
    Limit,
    OfModel,
    OfPeer,
    OfSender,
    OfStudy,
    Since,
    StateBefore,
    StateSince,
    Verbose,
    group,
    read_config,
)
from pacs_ai.cli.records import Record, delivery_record, event_record, job_record, result_record
from pacs_ai.cli.tables import cell, print_json, print_record, print_table, show_lines
from pacs_ai.domain import JobId, JobState, TaskKind
from pacs_ai.store import again, operator, overview, results
from pacs_ai.store.overview import StudyLine
from pacs_ai.store.schema import Job
from pacs_ai.store.session import Session

app = group("Jobs: one model's work on one study revision.")

_DELIVERY_COLUMNS = ("id", "destination", "result", "state", "attempt", "status", "reason")
_RESULT_COLUMNS = ("result", "sop_instance_uid", "file")
_EVENT_COLUMNS = ("at", "entity", "from_state", "to_state", "actor", "note")

Reference = Annotated[
    str, typer.Argument(metavar="JOB", help="Its id, or enough of the beginning of it.")
]


@app.command("list")
def list_jobs(
    *,
    state: Annotated[
        JobState | None,
        typer.Option("--state", case_sensitive=False, help="In this state.", show_default=False),
    ] = None,
    study: OfStudy = None,
    sender: OfSender = None,
    peer: OfPeer = None,
    model: OfModel = None,
    since: Since = None,
    before: Before = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """List jobs, the newest first."""
    with opened_node(read_config(config, verbose=verbose)) as node:
        wanted = selection(
            node,
            state=state,
            since=since,
            before=before,
            study=study,
            sender=sender,
            peer=peer,
            model=model,
            limit=limit,
        )
        with node.database.read() as session:
            records = [job_record(job, row) for job, row in overview.jobs(session, wanted)]
    if as_json:
        print_json(records)
        return
    show_lines([_line(record) for record in records], nothing="no jobs")


def _line(record: Record) -> Record:
    """Return what a line of the list says of a job; its outcome begins with the model's name."""
    return {
        "id": str(record["id"])[:8],
        "study": record["study"],
        "rev": record["revision"],
        "state": record["state"],
        "tries": record["attempt"],
        "created": record["created_at"],
        "sec": record["seconds"],
        "outcome": record["outcome"],
    }


@app.command()
def show(
    job: Reference, *, as_json: AsJson = False, config: ConfigPath = None, verbose: Verbose = False
) -> None:
    """Show a job with its results, their deliveries and its audit trail."""
    with opened_node(read_config(config, verbose=verbose)) as node:
        row = find_job(node, job)
        with node.database.read() as session:
            line = overview.study(session, str(row.study_id))
            trail = overview.events(session, "job", row.id)
            made = [
                result_record(one, node.spool) for one in results.of_job(session, JobId(row.id))
            ]
    sent = _sent(line, row)
    events = [event_record(event) for event in trail]
    record = job_record(row, line.study if line is not None else None)
    if as_json:
        print_json({**record, "results": made, "deliveries": sent, "events": events})
        return
    print_record(record, "job")
    for name, columns, records in (
        ("results", _RESULT_COLUMNS, made),
        ("deliveries", _DELIVERY_COLUMNS, sent),
        ("events", _EVENT_COLUMNS, events),
    ):
        if records:
            print()
            print_table(columns, [[cell(one[key]) for key in columns] for one in records], name)


@app.command()
def retry(
    job: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[JOB]...", help="Ids, or enough of their beginning.", show_default=False
        ),
    ] = None,
    *,
    state: Annotated[
        JobState | None,
        typer.Option(
            "--state",
            case_sensitive=False,
            help="All in this state: FAILED (if another filter is given), REJECTED or WAITING.",
            show_default=False,
        ),
    ] = None,
    since: StateSince = None,
    before: StateBefore = None,
    model: OfModel = None,
    study: OfStudy = None,
    sender: OfSender = None,
    peer: OfPeer = None,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Queue again what FAILED, was REJECTED or is WAITING: jobs by id, or all that match."""
    filters: dict[str, str | None] = {
        "state": state,
        "since": since,
        "before": before,
        "model": model,
        "study": study,
        "sender": sender,
        "peer": peer,
    }
    references = list(dict.fromkeys(job or []))
    check_choice(references, filters)
    states = states_of(state, (JobState.FAILED, JobState.REJECTED, JobState.WAITING))
    with opened_node(read_config(config, verbose=verbose)) as node:
        given = [find_job(node, reference) for reference in references]
        wanted = filter_of(node, filters)

        def queue(session: Session, row: Job) -> None:
            operator.retry_job(session, row, node.now())
            node.engine.enqueue(session, TaskKind.ANALYSE, row.id)

        with node.database.write() as session:
            rows = given or again.jobs(session, wanted, states)
            done = try_again(session, rows, queue, strict=bool(given))
    tell([row.id for row in done], ("job", "jobs"), "queued", as_json=as_json)


@app.command()
def cancel(job: Reference, *, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """Cancel a job that is QUEUED or WAITING."""
    with opened_node(read_config(config, verbose=verbose)) as node:
        row = find_job(node, job)
        with node.database.write() as session:
            operator.cancel_job(session, row, node.now())
    print(f"job {row.id}: cancelled")


def _sent(line: StudyLine | None, job: Job) -> list[dict[str, object]]:
    pairs = line.deliveries if line is not None else ()
    return [delivery_record(*pair) for pair in pairs if pair[0].job_id == job.id]
