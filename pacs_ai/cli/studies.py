"""``pacs-ai studies``: what was received and what became of it."""

from typing import Annotated

import typer

from pacs_ai.cli import conflicts
from pacs_ai.cli.details import print_all, print_screen, study_details
from pacs_ai.cli.lookup import find_study, selection
from pacs_ai.cli.node import opened_node
from pacs_ai.cli.options import (
    AsJson,
    Before,
    ConfigPath,
    Limit,
    OfModel,
    OfPeer,
    OfSender,
    Since,
    Verbose,
    group,
    read_config,
)
from pacs_ai.cli.records import Record, study_record
from pacs_ai.cli.summary import print_destinations
from pacs_ai.cli.tables import print_json, show_lines
from pacs_ai.domain import StudyState
from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.flow import complete, remove
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import overview, sending
from pacs_ai.store import studies as rows
from pacs_ai.store.operator import ACTOR
from pacs_ai.store.overview import StudyLine
from pacs_ai.store.selection import Filter

app = group("Studies: what was received and what became of it.")

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
    """List studies, the last active first; with the seconds from last image to result.

    Below them stands what their destinations have and have not got yet.
    """
    with opened_node(read_config(config, verbose=verbose)) as node:
        wanted = selection(
            node,
            state=state,
            since=since,
            before=before,
            sender=sender,
            peer=peer,
            model=model,
            limit=limit,
        )
        with node.database.read() as session:
            records = [study_record(line) for line in overview.studies(session, wanted)]
            sums = sending.destinations_of_studies(session, wanted)
        now = node.now()
    if as_json:
        print_json(records)
        return
    show_lines([_line(record) for record in records], nothing="no studies")
    print_destinations(sums, now)


def _line(record: Record) -> Record:
    """Return what a line of the list says of a study; why nothing was done where that is so."""
    return {
        "id": record["id"],
        "state": record["state"],
        "type": record["modality"],
        "images": record["instances"],
        "from": record["calling_aet"],
        "received": record["last_received_at"],
        "sec": record["seconds"],
        "delivered": record["delivered"],
        "outcome": record["outcome"] or record["reason"],
    }


@app.command()
def show(
    study: Annotated[
        str | None,
        typer.Argument(metavar="STUDY", help="Row id or Study Instance UID.", show_default=False),
    ] = None,
    *,
    accession: Accession = None,
    whole: Annotated[
        bool, typer.Option("--all", help="Every instance, result, delivery and event.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Show a study: what was not analysed, jobs, deliveries, what happened last."""
    if (study is None) == (accession is None):
        raise typer.BadParameter("give either a STUDY or --accession")
    with opened_node(read_config(config, verbose=verbose)) as node:
        lines = (
            [find_study(node, study)] if study is not None else _by_accession(node, accession or "")
        )
        shown = [study_details(node, line) for line in lines]
    if as_json:
        print_json(shown)
        return
    for details in shown:
        (print_all if whole else print_screen)(details)


@app.command()
def close(study: Reference, *, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """Close a study that is still RECEIVING: wait for nothing more."""
    with opened_node(read_config(config, verbose=verbose)) as node:
        line = find_study(node, study)
        _close(node, line)
    print(f"study {line.study.id}: closed")


@app.command()
def reroute(study: Reference, *, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """Apply the rules anew, as a new revision: after a change of rules or models."""
    with opened_node(read_config(config, verbose=verbose)) as node:
        line = find_study(node, study)
        if line.study.state not in (StudyState.COMPLETE, StudyState.ROUTED):
            raise IllegalTransition(f"study {line.study.id} is {line.study.state}, not ROUTED")
        revision = _reopen(node, line, "reroute")
    print(f"study {line.study.id}: revision {revision} goes through the rules")


@app.command()
def resolve(
    study: Reference,
    *,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            metavar="first|corrected",
            help="Which patient is right; or a number of the list.",
            show_default=False,
        ),
    ] = None,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """End a CONFLICT: say whose study it is. Without --keep: show the choices, do nothing.

    All its images are of one patient, and you know which. Results are made anew; under another
    patient than before, the old ones are withdrawn.
    """
    with opened_node(read_config(config, verbose=verbose)) as node:
        line = find_study(node, study)
        revision = conflicts.resolve(node, line, keep)
        _close(node, find_study(node, str(line.study.id)))
    print(f"study {line.study.id}: revision {revision} goes through the rules")


@app.command()
def delete(
    study: Reference,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Remove a study's files, rows and results, so that it can be sent again."""
    with opened_node(read_config(config, verbose=verbose)) as node:
        line = find_study(node, study)
        if not yes:
            typer.confirm(f"Delete study {line.study.id} ({line.instances} images)?", abort=True)
        deleted = remove.delete(node, line.study)
    print(f"study {line.study.id}: deleted, {len(deleted.paths)} files removed")
    if deleted.delivered:
        print(f"{deleted.delivered} results of it stay with the peers that have them.")


def _by_accession(node: FlowContext, accession: str) -> list[StudyLine]:
    with node.database.read() as session:
        lines = overview.studies(session, Filter(), accession_key=node.accession_key(accession))
    if not lines:
        raise StateError("no study with this accession number")
    return lines


def _reopen(node: FlowContext, line: StudyLine, note: str) -> int:
    with node.database.write() as session:
        revision = rows.reopen(session, line.study, now=node.now(), actor=ACTOR, note=note)
    _close(node, find_study(node, str(line.study.id)))
    return revision


def _close(node: FlowContext, line: StudyLine) -> None:
    if not complete.close(node, line.study, "operator", actor=ACTOR):
        raise IllegalTransition(f"study {line.study.id} is {line.study.state}, not RECEIVING")
