"""``pacs-ai deliveries``: one result on its way to one destination."""

from datetime import datetime
from typing import Annotated, Literal

import typer

from pacs_ai.cli.filters import Filters, state_option, wanted, with_filters
from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson, Limit, group
from pacs_ai.cli.retrying import check_choice, print_retried
from pacs_ai.cli.summary import print_destinations
from pacs_ai.cli.tables import ago, print_json, show_lines
from pacs_ai.domain import DeliveryState
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import deliveries as operate
from pacs_ai.store.records import DeliveryRecord, to_dict
from pacs_ai.store.sending import DestinationSummary

app = group("Deliveries: one result on its way to one destination.")

Reference = Annotated[list[int], typer.Argument(metavar="ID", help="Ids, as listed.")]


@app.command("list")
@with_node
@with_filters("peer", "study", "sender", "model", "since", "before")
def list_deliveries(
    *,
    state: Annotated[DeliveryState | None, state_option("In this state.")] = None,
    filters: Filters,
    limit: Limit = 50,
    summary: Annotated[
        bool, typer.Option("--summary", help="Only the sums, one line for each destination.")
    ] = False,
    by: Annotated[
        Literal["peer"] | None,
        typer.Option("--by", help="A table with one line for each destination instead."),
    ] = None,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """List deliveries, the newest first, and sum up per destination.

    The time says when a result was stored, or when a waiting one is tried again.
    """
    with node_to_open as node:
        selected = wanted(node, filters, state=state, limit=limit)
        summary = summary or by is not None
        records = [] if summary else operate.list_deliveries(node, selected)
        sums = operate.list_destinations(node, selected)
        now = node.now()
    if as_json:
        print_json([to_dict(one) for one in (sums if summary else records)])
        return
    if by is not None and sums:
        show_lines([_summary_line(node, one, now) for one in sums], nothing="no deliveries")
        return
    if not summary or not sums:
        show_lines([_line(record) for record in records], nothing="no deliveries")
    print_destinations(sums, now)


def _summary_line(node: FlowContext, one: DestinationSummary, now: datetime) -> dict[str, object]:
    """Return the line of a destination."""
    peer = node.config.peers.get(one.destination)
    counts = one.deliveries
    delivered = sum(counts.get(state, 0) for state in ("STORED", "COMMITTING", "COMMITTED"))
    return {
        "to": one.destination,
        "where": "not configured" if peer is None else peer.where,
        "delivered": delivered,
        "waiting": sum(counts.get(state, 0) for state in ("PENDING", "SENDING", "WAITING")),
        "failed": counts.get("FAILED", 0),
        "oldest": "" if one.waiting_since is None else ago(now - one.waiting_since),
        "last stored": one.stored_at or "",
        "problem": one.problem,
    }


def _line(record: DeliveryRecord) -> dict[str, object]:
    """Return a delivery's line of the list, with the time that its state is about."""
    return {
        "id": record.id,
        "study": record.study,
        "to": record.destination,
        "result": record.result,
        "state": record.state,
        "tries": record.attempt,
        "status": record.status,
        "time": record.stored_at or record.due_at or record.created_at,
        "reason": record.reason,
    }


@app.command()
@with_node
@with_filters("since", "before", "peer", "study", "sender", "model", of_state=True)
def retry(
    ids: Annotated[
        list[int] | None,
        typer.Argument(metavar="[ID]...", help="Ids, as listed.", show_default=False),
    ] = None,
    *,
    state: Annotated[
        DeliveryState | None,
        state_option("All in this state: FAILED (if another filter is given) or WAITING."),
    ] = None,
    filters: Filters,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """Send FAILED deliveries again, and WAITING ones at once: by id, or all that match."""
    check_choice(ids or [], filters, state, operate.RETRYABLE)
    with node_to_open as node:
        if ids:
            done = operate.retry_deliveries(node, ids)
        else:
            done = operate.retry_matching_deliveries(node, wanted(node, filters, state=state))
    print_retried(done, ("delivery", "deliveries"), "to be sent", as_json=as_json)


@app.command()
@with_node
def cancel(ids: Reference, *, node_to_open: NodeToOpen) -> None:
    """Cancel deliveries that are PENDING, WAITING or FAILED."""
    with node_to_open as node:
        cancelled = operate.cancel_deliveries(node, ids)
    print(f"{len(cancelled)} cancelled")
