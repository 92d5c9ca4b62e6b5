"""``pacs-ai models activate``, ``rollback`` and ``disable``: while the node runs."""

from typing import Annotated

import typer

from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson
from pacs_ai.cli.tables import print_json
from pacs_ai.flow.operate import activation
from pacs_ai.flow.operate.activation import Activation
from pacs_ai.store.records import to_dict

Model = Annotated[str, typer.Argument(metavar="MODEL", help="Name in the configuration.")]


@with_node
def activate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL[@VERSION]", help="Name in the configuration, version.")
    ],
    *,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """Let a version of a model do its jobs from now on, in all processes of all nodes.

    A job that runs keeps the version that it began with. Jobs that waited because the model was
    disabled go on. Without a version: the only one, or that of before it was disabled.
    """
    with node_to_open as node:
        _show(activation.activate_model(node, model), as_json=as_json)


@with_node
def rollback(model: Model, *, as_json: AsJson = False, node_to_open: NodeToOpen) -> None:
    """Let the version that was active before do the jobs of a model; twice undoes it."""
    with node_to_open as node:
        _show(activation.roll_back_model(node, model), as_json=as_json)


@with_node
def disable(model: Model, *, as_json: AsJson = False, node_to_open: NodeToOpen) -> None:
    """Let no version of a model analyse: its jobs wait until one is made active."""
    with node_to_open as node:
        _show(activation.disable_model(node, model), as_json=as_json)


def _show(found: Activation, *, as_json: bool) -> None:
    if as_json:
        print_json(to_dict(found))
        return
    text = f"{found.model}: version {found.version} is {found.state.lower()}"
    if found.earlier:
        text += f"; a rollback makes {found.earlier} active"
    if found.queued:
        text += f"; jobs that had waited and go on: {found.queued}"
    print(text)
