"""``pacs-ai users``: who may open associations, with a name and a passcode."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, group, read_config
from pacs_ai.cli.tables import print_json, show_records
from pacs_ai.flow.operate import users as operate
from pacs_ai.net.users import read_passcode
from pacs_ai.node.wiring import unpaired_node
from pacs_ai.store.records import to_dict

_COLUMNS = ("name", "source", "created_at", "removed_at")

app = group("Users that callers must show (DICOM user identity): add, list, remove.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user name that the caller shows.")]


@app.command()
def add(
    name: Name,
    *,
    passcode_file: Annotated[
        Path | None,
        typer.Option(
            "--passcode-file",
            metavar="FILE",
            help="Its first line is the passcode; - reads it from standard input. Default: one is"
            " made, and printed.",
            show_default=False,
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Give an existing user this passcode.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Add a user: from now on every caller must show one, with its passcode (type 2).

    Running nodes know it within a second. Use TLS, or passcodes travel in the clear.
    """
    with unpaired_node(read_config(config, verbose=verbose)) as node:
        made = operate.add_user(node, name, _given(passcode_file), replace=replace)
    if as_json:
        print_json(to_dict(made))
        return
    if made.passcode is not None:
        print(made.passcode)
    shown = "" if made.passcode is None else " Its passcode is not shown again."
    print(f"{made.name} may call; callers that show no user may not.{shown}", file=sys.stderr)


@app.command("list")
@with_node
def list_users(*, as_json: AsJson = False, node_to_open: NodeToOpen) -> None:
    """List the users, the removed ones too; never their passcodes."""
    with node_to_open as node:
        records = [to_dict(record) for record in operate.list_users(node)]
    show_records(records, _COLUMNS, as_json=as_json, nothing="no users")


@app.command()
@with_node
def remove(
    name: Name,
    *,
    last: Annotated[
        bool,
        typer.Option("--last", help="Even the last one: no caller has to show a user any more."),
    ] = False,
    node_to_open: NodeToOpen,
) -> None:
    """Remove a user: it opens no more associations. Running nodes know it within a second."""
    with node_to_open as node:
        operate.remove_user(node, name, last=last)
    print(f"{name}: removed")


def _given(path: Path | None) -> str | None:
    """Read the passcode that a person has chosen."""
    if path is None:
        return None
    if str(path) == "-":
        return sys.stdin.readline().rstrip("\r\n")
    return read_passcode(path)
