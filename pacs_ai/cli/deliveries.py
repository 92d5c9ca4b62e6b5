"""``pacs-ai deliveries``: one result on its way to one destination."""

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
from pacs_ai.cli.records import delivery_record
from pacs_ai.cli.tables import show_records
from pacs_ai.domain import DeliveryState, TaskKind
from pacs_ai.errors import StateError
from pacs_ai.flow.context import pair_key
from pacs_ai.store import operator, overview
from pacs_ai.store.overview import Filter
from pacs_ai.store.schema import Delivery
from pacs_ai.store.session import Session

app = group("Deliveries: one result on its way to one destination.")

_COLUMNS = (
    "id",
    "job",
    "destination",
    "result",
    "state",
    "attempt",
    "status",
    "stored_at",
    "due_at",
    "reason",
)

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
    since: Since = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """List deliveries, the newest first."""
    wanted = Filter(state, moment(since), limit)
    with (
        opened_node(read_config(config, verbose=verbose)) as node,
        node.database.read() as session,
    ):
        records = [delivery_record(*pair) for pair in overview.deliveries(session, wanted)]
    show_records(records, _COLUMNS, as_json=as_json, nothing="no deliveries")


@app.command()
def retry(ids: Reference, *, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """Send again what FAILED, or at once what is WAITING."""
    with (
        opened_node(read_config(config, verbose=verbose)) as node,
        node.database.write() as session,
    ):
        for row in _rows(session, ids):
            operator.retry_delivery(session, row, node.now())
            key = pair_key(row.job_id, row.destination)
            node.engine.enqueue(session, TaskKind.DELIVER, key)
    print(f"{len(ids)} to be sent")


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
