"""``pacs-ai audit``: the ledger of what happened, and that nobody has changed it."""

from dataclasses import asdict
from typing import Annotated

import typer

from pacs_ai.cli.filters import Filters, wanted, with_filters
from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson, Limit, group
from pacs_ai.cli.tables import print_json, show_lines
from pacs_ai.flow.operate import audit as operate
from pacs_ai.store.records import to_dict

app = group("The ledger: audit messages of DICOM (PS3.15 A.5) in a chain.")


@app.command("list")
@with_node
@with_filters("study", "since", "before")
def list_ledger(
    *,
    filters: Filters,
    limit: Limit = 50,
    xml: Annotated[bool, typer.Option("--xml", help="Print the messages as they are.")] = False,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """List the lines of the ledger, the newest first."""
    with node_to_open as node:
        records = operate.list_ledger(node, wanted(node, filters, limit=limit))
    if as_json:
        print_json([to_dict(record) for record in records])
    elif xml:
        for record in records:
            print(record.message)
    else:
        shown = ("number", "at", "study", "type", "outcome", "user", "address", "description")
        rows = [{name: getattr(record, name) for name in shown} for record in records]
        show_lines(rows, nothing="no lines")


@app.command("verify")
@with_node
def verify_ledger(*, as_json: AsJson = False, node_to_open: NodeToOpen) -> None:
    """Compute the chain of the ledger again; exit code 1 if anything was changed or is missing.

    The number and the hash of the last line stand for the whole ledger: keep them elsewhere.
    """
    with node_to_open as node:
        found = operate.verify_ledger(node)
    if as_json:
        print_json(asdict(found))
        return
    for remark in found.remarks:
        print(f"not checked: {remark}")
    print(f"{found.lines} lines, from {found.first} to {found.last}, are as they were written")
    print(f"hash of the last one: {found.hash}")
