"""``pacs-ai deliveries``: one result on its way to one destination."""

from typing import Annotated

import typer

from pacs_ai.cli.again import check_choice, filter_of, states_of, tell, try_again
from pacs_ai.cli.lookup import selection
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
from pacs_ai.cli.records import Record, delivery_record, destination_record
from pacs_ai.cli.summary import print_destinations
from pacs_ai.cli.tables import print_json, show_lines
from pacs_ai.domain import DeliveryState, TaskKind
from pacs_ai.errors import StateError
from pacs_ai.flow.context import pair_key
from pacs_ai.store import again, operator, sending
from pacs_ai.store.schema import Delivery
from pacs_ai.store.session import Session

app = group("Deliveries: one result on its way to one destination.")

_MAX_ID = 2**63 - 1
"""What both databases take for a number."""

Reference = Annotated[list[int], typer.Argument(metavar="ID", help="Ids, as listed.")]


@app.command("list")
def list_deliveries(
    *,
    state: Annotated[
        DeliveryState | None,
        typer.Option("--state", case_sensitive=False, help="In this state.", show_default=False),
    ] = None,
    peer: OfPeer = None,
    study: OfStudy = None,
    sender: OfSender = None,
    model: OfModel = None,
    since: Since = None,
    before: Before = None,
    limit: Limit = 50,
    summary: Annotated[
        bool, typer.Option("--summary", help="Only the sums, a line a destination.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """List deliveries, the newest first, and sum up per destination.

    The time is that of storing for what is stored, of the next try for what waits.
    """
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
            lines = [] if summary else sending.deliveries(session, wanted)
            sums = sending.destinations(session, wanted)
        now = node.now()
    if as_json:
        print_json(
            [destination_record(one) for one in sums]
            if summary
            else [delivery_record(*line) for line in lines]
        )
        return
    if not summary or not sums:
        show_lines([_line(delivery_record(*line)) for line in lines], nothing="no deliveries")
    print_destinations(sums, now)


def _line(record: Record) -> Record:
    """Return what a line of the list says of a delivery, with the time that its state is about."""
    return {
        "id": record["id"],
        "study": record["study"],
        "to": record["destination"],
        "result": record["result"],
        "state": record["state"],
        "tries": record["attempt"],
        "status": record["status"],
        "time": record["stored_at"] or record["due_at"] or record["created_at"],
        "reason": record["reason"],
    }


@app.command()
def retry(
    ids: Annotated[
        list[int] | None,
        typer.Argument(metavar="[ID]...", help="Ids, as listed.", show_default=False),
    ] = None,
    *,
    state: Annotated[
        DeliveryState | None,
        typer.Option(
            "--state",
            case_sensitive=False,
            help="All in this state: FAILED (if another filter is given) or WAITING.",
            show_default=False,
        ),
    ] = None,
    since: StateSince = None,
    before: StateBefore = None,
    peer: OfPeer = None,
    study: OfStudy = None,
    sender: OfSender = None,
    model: OfModel = None,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Send again what FAILED, or at once what is WAITING: by id, or all that match."""
    filters: dict[str, str | None] = {
        "state": state,
        "since": since,
        "before": before,
        "peer": peer,
        "study": study,
        "sender": sender,
        "model": model,
    }
    check_choice(ids or [], filters)
    states = states_of(state, (DeliveryState.FAILED, DeliveryState.WAITING))
    with opened_node(read_config(config, verbose=verbose)) as node:
        wanted = filter_of(node, filters)

        def send(session: Session, row: Delivery) -> None:
            operator.retry_delivery(session, row, node.now())
            key = pair_key(row.job_id, row.destination)
            node.engine.enqueue(session, TaskKind.DELIVER, key)

        with node.database.write() as session:
            rows = _rows(session, ids) if ids else again.deliveries(session, wanted, states)
            done = try_again(session, rows, send, strict=bool(ids))
    names = ("delivery", "deliveries")
    tell([row.id for row in done], names, "to be sent", as_json=as_json)


@app.command()
def cancel(ids: Reference, *, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """Give up what is PENDING, WAITING or FAILED."""
    with (
        opened_node(read_config(config, verbose=verbose)) as node,
        node.database.write() as session,
    ):
        for row in _rows(session, ids):
            operator.cancel_delivery(session, row, node.now())
    print(f"{len(ids)} cancelled")


def _rows(session: Session, ids: list[int]) -> list[Delivery]:
    rows = []
    for number in dict.fromkeys(ids):
        row = session.get(Delivery, number) if number <= _MAX_ID else None
        if row is None:
            raise StateError(f"no delivery {number}")
        rows.append(row)
    return rows
