"""``pacs-ai studies``: what was received and what became of it."""

import sys
from typing import Annotated

import typer

from pacs_ai.cli.details import CHOICE_COLUMNS, print_all, print_screen
from pacs_ai.cli.filters import Filters, state_option, wanted, with_filters
from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson, Limit, group
from pacs_ai.cli.summary import print_destinations
from pacs_ai.cli.tables import print_json, show_lines, show_records
from pacs_ai.domain import StudyState
from pacs_ai.errors import StateError
from pacs_ai.flow.operate import studies as operate
from pacs_ai.store.records import StudyRecord, to_dict

_HINT = """\
Nothing is done without --keep. The database has no names: look the study up in the archive, or ask
the sender. If these are images of two patients, delete the study, and have the images of each
patient sent under a study of their own."""

app = group("Studies: what was received and what became of it.")

Reference = Annotated[str, typer.Argument(metavar="STUDY", help="Row id or Study Instance UID.")]
Accession = Annotated[
    str | None,
    typer.Option("--accession", metavar="X", help="Find by accession number.", show_default=False),
]


@app.command("list")
@with_node
@with_filters("sender", "peer", "model", "since", "before")
def list_studies(
    *,
    state: Annotated[StudyState | None, state_option("In this state.")] = None,
    filters: Filters,
    limit: Limit = 50,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """List studies, the most recently active first, with the seconds from last image to result.

    The lines below count what each destination has got, and what it still lacks.
    """
    with node_to_open as node:
        selected = wanted(node, filters, state=state, limit=limit)
        records = operate.list_studies(node, selected)
        sums = operate.list_destinations(node, selected)
        now = node.now()
    if as_json:
        print_json([to_dict(record) for record in records])
        return
    show_lines([_line(record) for record in records], nothing="no studies")
    print_destinations(sums, now)


def _line(record: StudyRecord) -> dict[str, object]:
    """Return a study's line of the list, with the reason if nothing was done."""
    return {
        "id": record.id,
        "state": record.state,
        "type": record.modality,
        "images": record.instances,
        "from": record.calling_aet,
        "received": record.last_received_at,
        "sec": record.seconds,
        "delivered": record.delivered,
        "outcome": record.outcome or record.reason,
    }


@app.command()
@with_node
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
    node_to_open: NodeToOpen,
) -> None:
    """Show a study: what was not analysed, jobs, deliveries, what happened last."""
    if (study is None) == (accession is None):
        raise typer.BadParameter("give either a STUDY or --accession")
    with node_to_open as node:
        if study is not None:
            found = [operate.show_study(node, study)]
        else:
            found = operate.show_accession(node, accession or "")
    if as_json:
        print_json([to_dict(details) for details in found])
        return
    for details in found:
        if whole:
            print_all(to_dict(details))
        else:
            print_screen(details)


@app.command()
@with_node
def close(study: Reference, *, node_to_open: NodeToOpen) -> None:
    """Close a study that is still RECEIVING: wait for nothing more."""
    with node_to_open as node:
        closed = operate.close_study(node, study)
    print(f"study {closed.id}: closed")


@app.command()
@with_node
def reroute(study: Reference, *, node_to_open: NodeToOpen) -> None:
    """Apply the rules again, as a new revision: after a change of rules or models."""
    with node_to_open as node:
        _print_revision(operate.reroute_study(node, study))


@app.command()
@with_node
def resolve(
    study: Reference,
    *,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            metavar="first|corrected",
            help="The right patient; also a number of the list.",
            show_default=False,
        ),
    ] = None,
    node_to_open: NodeToOpen,
) -> None:
    """End a CONFLICT: say whose study it is. Without --keep: show the choices, do nothing.

    All its images are of one patient, and you know which. Results are made again; under another
    patient than before, the old ones are withdrawn.
    """
    with node_to_open as node:
        if keep is None:
            choices = [to_dict(choice) for choice in operate.list_choices(node, study)]
            show_records(choices, CHOICE_COLUMNS, as_json=False, nothing="")
            print(_HINT, file=sys.stderr)
            number = operate.get_study(node, study).id
            raise StateError(f"study {number} is still in CONFLICT: say which is right with --keep")
        _print_revision(operate.resolve_study(node, study, keep))


@app.command()
@with_node
def delete(
    study: Reference,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    node_to_open: NodeToOpen,
) -> None:
    """Remove a study's files, rows and results, so that it can be sent again."""
    with node_to_open as node:
        if not yes:
            found = operate.get_study(node, study)
            typer.confirm(f"Delete study {found.id} ({found.instances} images)?", abort=True)
        deleted = operate.delete_study(node, study)
    print(f"study {deleted.id}: deleted, {deleted.files} files removed")
    if deleted.delivered:
        print(f"{deleted.delivered} results of it stay with the peers that have them.")


def _print_revision(study: operate.StudyRevision) -> None:
    print(f"study {study.id}: revision {study.revision} goes through the rules")
