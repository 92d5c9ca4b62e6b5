"""``pacs-ai jobs``: one model's work on one study revision."""

from typing import Annotated

import typer

from pacs_ai.cli.filters import Filters, state_option, wanted, with_filters
from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson, Limit, group, named_job
from pacs_ai.cli.retrying import check_choice, print_retried
from pacs_ai.cli.tables import print_json, print_part, print_record, show_lines
from pacs_ai.domain import JobState
from pacs_ai.flow.operate import jobs as operate
from pacs_ai.store.records import JobRecord, to_dict

app = group("Jobs: one model's work on one study revision.")

_PARTS = {
    "results": ("result", "sop_instance_uid", "file"),
    "deliveries": ("id", "destination", "result", "state", "attempt", "status", "reason"),
    "events": ("at", "entity", "from_state", "to_state", "actor", "note"),
}

Reference = Annotated[
    str, typer.Argument(metavar="JOB", help="Its id, or enough of its first characters.")
]


@app.command("list")
@with_node
@with_filters("study", "sender", "peer", "model", "since", "before")
def list_jobs(
    *,
    state: Annotated[JobState | None, state_option("In this state.")] = None,
    filters: Filters,
    limit: Limit = 50,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """List jobs, the newest first."""
    with node_to_open as node:
        records = operate.list_jobs(node, wanted(node, filters, state=state, limit=limit))
    if as_json:
        print_json([to_dict(record) for record in records])
        return
    show_lines([_line(record) for record in records], nothing="no jobs")


def _line(record: JobRecord) -> dict[str, object]:
    """Return a job's line of the list; its outcome begins with the model's name."""
    return {
        "id": record.id[:8],
        "study": record.study,
        "rev": record.revision,
        "priority": record.priority,
        "state": record.state,
        "tries": record.attempt,
        "created": record.created_at,
        "sec": record.seconds,
        "outcome": record.outcome,
    }


@app.command()
@with_node
def show(job: Reference, *, as_json: AsJson = False, node_to_open: NodeToOpen) -> None:
    """Show a job with its results, their deliveries and its audit trail."""
    with node_to_open as node:
        details = to_dict(operate.show_job(node, named_job(job)))
    if as_json:
        print_json(details)
        return
    print_record({key: value for key, value in details.items() if key not in _PARTS}, "job")
    for name, columns in _PARTS.items():
        print_part(name, columns, details[name])


@app.command()
@with_node
@with_filters("since", "before", "model", "study", "sender", "peer", of_state=True)
def retry(
    job: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[JOB]...", help="Ids, or enough of their first characters.", show_default=False
        ),
    ] = None,
    *,
    state: Annotated[
        JobState | None,
        state_option(
            "All in this state: FAILED (if another filter is given), REJECTED or WAITING."
        ),
    ] = None,
    filters: Filters,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """Queue jobs again that are FAILED, REJECTED or WAITING: by id, or all that match."""
    check_choice(job or [], filters, state, operate.RETRYABLE)
    with node_to_open as node:
        if job:
            done = operate.retry_jobs(node, [named_job(one) for one in job])
        else:
            done = operate.retry_matching_jobs(node, wanted(node, filters, state=state))
    print_retried(done, ("job", "jobs"), "queued", as_json=as_json)


@app.command()
@with_node
def cancel(job: Reference, *, node_to_open: NodeToOpen) -> None:
    """Cancel a job that is QUEUED or WAITING."""
    with node_to_open as node:
        cancelled = operate.cancel_job(node, named_job(job))
    print(f"job {cancelled}: cancelled")
