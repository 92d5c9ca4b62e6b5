"""``pacs-ai tokens``: who may use the page and the REST API."""

import sys
from typing import Annotated

import typer

from pacs_ai.cli.node import NodeToOpen, noted_refusals, with_node
from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, group, read_config
from pacs_ai.cli.tables import print_json, show_records
from pacs_ai.domain import Role
from pacs_ai.flow.operate import tokens as operate
from pacs_ai.node.wiring import unpaired_node
from pacs_ai.store.records import to_dict

_COLUMNS = ("name", "role", "created_at", "revoked_at")

app = group("Tokens of the page and the REST API: add, list, revoke.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Who uses it.")]


@app.command()
def add(
    name: Name,
    *,
    role: Annotated[
        Role,
        typer.Option(
            "--role",
            metavar="viewer|operator|admin",
            help="Read; also retry, cancel, close, reroute; everything.",
        ),
    ],
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Make a token, and print it: this is the only time that it can be seen."""
    settings = read_config(config, verbose=verbose)
    with unpaired_node(settings) as node, noted_refusals(node, {}):
        made = operate.add_token(node, name, role)
    if as_json:
        print_json(to_dict(made))
        return
    print(made.token)
    print(f"{made.name} has the role {made.role}. The token is not shown again.", file=sys.stderr)


@app.command("list")
@with_node
def list_tokens(*, as_json: AsJson = False, node_to_open: NodeToOpen) -> None:
    """List the tokens, the revoked ones too; never the tokens themselves."""
    with node_to_open as node:
        records = [to_dict(record) for record in operate.list_tokens(node)]
    show_records(records, _COLUMNS, as_json=as_json, nothing="no tokens")


@app.command()
@with_node
def revoke(name: Name, *, node_to_open: NodeToOpen) -> None:
    """Make a token invalid, at once and for good."""
    with node_to_open as node:
        operate.revoke_token(node, name)
    print(f"{name}: revoked")
