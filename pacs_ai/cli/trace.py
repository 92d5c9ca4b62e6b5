"""``pacs-ai trace``: what happened to a study, step by step, and where the time went."""

from typing import Annotated

import typer

from pacs_ai.cli.details import print_timeline
from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson, single
from pacs_ai.cli.tables import print_json
from pacs_ai.flow.operate.trace import trace_study
from pacs_ai.store.records import to_dict

app = single()


@app.command()
@with_node
def trace(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="Row id or Study Instance UID.")],
    *,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """Show a study step by step: duration and reason of each, and where the time went.

    Times are UTC. docs/operations.md explains the steps and the keys of the JSON.
    """
    with node_to_open as node:
        record = to_dict(trace_study(node, study))
    if as_json:
        print_json(record)
    else:
        print_timeline(record)
