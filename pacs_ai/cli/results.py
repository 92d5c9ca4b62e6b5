"""``pacs-ai results``: take back what was said."""

import time
from collections.abc import Callable
from typing import Annotated

import typer

from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson, group
from pacs_ai.cli.tables import print_json, show_lines
from pacs_ai.domain import DeliveryState
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import studies
from pacs_ai.flow.operate import withdrawals as operate
from pacs_ai.flow.operate.withdrawals import WithdrawalRecord
from pacs_ai.store.records import to_dict
from pacs_ai.withdrawal_kinds import RejectionReason

_ENDED = (
    DeliveryState.STORED,
    DeliveryState.COMMITTED,
    DeliveryState.FAILED,
    DeliveryState.CANCELLED,
)
_PAUSE = 0.2

app = group("Results that were made: withdraw them, see what became of that.")

Reference = Annotated[str, typer.Argument(metavar="STUDY", help="Row id or Study Instance UID.")]
Reason = Annotated[
    RejectionReason,
    typer.Option("--reason", help="Why; it becomes the title of the rejection note (IHE IOCM)."),
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait", metavar="SECONDS", min=0, help="Wait for the node to tell the destinations."
    ),
]


@app.command()
@with_node
def withdraw(
    study: Reference,
    *,
    reason: Reason,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="X", help="Only those of this model.", show_default=False),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Apply the rules again: other results take their place.")
    ] = False,
    wait: Wait = 0,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """Take the results of a study back: cancel what waits, tell who has got them.

    The lines say what happens at each destination. This cannot be undone.
    """
    with node_to_open as node:
        done = operate.withdraw_results(node, study, reason, model or "")
        if again:
            studies.reroute_study(node, study)
        done = _waited(lambda: _newest(node, done), wait)
    _show([done], as_json=as_json)


@app.command("withdrawals")
@with_node
def list_withdrawals(
    study: Reference, *, as_json: AsJson = False, node_to_open: NodeToOpen
) -> None:
    """List what was withdrawn of a study, by whom and why, and what became of it where."""
    with node_to_open as node:
        found = operate.list_withdrawals(node, study)
    _show(found, as_json=as_json)


def _newest(node: FlowContext, done: WithdrawalRecord) -> WithdrawalRecord:
    known = operate.list_withdrawals(node, str(done.study))
    return next(one for one in known if one.id == done.id)


def _waited(look: Callable[[], WithdrawalRecord], seconds: float) -> WithdrawalRecord:
    """Look until each destination knows, or the time is over."""
    end = time.monotonic() + seconds
    found = look()
    while time.monotonic() < end and not _all_told(found):
        time.sleep(_PAUSE)
        found = look()
    return found


def _all_told(found: WithdrawalRecord) -> bool:
    return all(one.way != operate.TO_COME and one.state in _ENDED for one in found.outcomes)


def _show(found: list[WithdrawalRecord], *, as_json: bool) -> None:
    if as_json:
        print_json([to_dict(one) for one in found])
        return
    lines = [
        {
            "at": record.at,
            "reason": record.reason,
            "by": record.user,
            "model": record.model or "all",
            "to": one.destination,
            "results": one.results,
            "way": one.way,
            "state": one.state,
            "remark": one.reason,
        }
        for record in found
        for one in record.outcomes
    ]
    show_lines(lines, nothing="no destination has got any results of this study")
