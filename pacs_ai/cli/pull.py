"""``pacs-ai pull``: fetch studies from archives."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson, Limit, single
from pacs_ai.cli.tables import print_json, show_lines
from pacs_ai.errors import ConfigError
from pacs_ai.flow.operate import pulls as operate
from pacs_ai.store.pulls import PullState
from pacs_ai.store.records import to_dict

app = single()


@app.command()
@with_node
def pull(
    studies: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STUDY]...", help="Study Instance UIDs.", show_default=False),
    ] = None,
    *,
    peer: Annotated[
        str | None,
        typer.Option("--from", metavar="PEER", help="An archive of [peers.x].", show_default=False),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--list", metavar="FILE", help="File with a UID in each line.", show_default=False
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also what was fetched before, or has failed.")
    ] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Forget what waits, of one peer or of all.")
    ] = False,
    state: Annotated[
        PullState | None,
        typer.Option("--state", help="List only what is in this state.", show_default=False),
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """Fetch studies from an archive; without STUDY and --list: show how far that is.

    The node that runs fetches one study after the other. What is to be fetched is kept: the same
    command again asks for nothing twice.
    """
    uids = [*(studies or []), *(_read(file) if file is not None else [])]
    with node_to_open as node:
        if cancel:
            print(f"{operate.cancel_pulls(node, peer)} studies are not fetched")
            return
        if uids:
            if peer is None:
                raise typer.BadParameter("--from says which archive has the studies")
            new = operate.pull_studies(node, peer, uids, again=again)
            print(f"{new} studies to be fetched from {peer}; {len(set(uids)) - new} known already")
            return
        records = operate.list_pulls(node, state, peer, limit)
        sums = operate.sum_pulls(node)
    if as_json:
        print_json([to_dict(one) for one in records])
        return
    lines = [
        {
            "study": one.study_instance_uid,
            "from": one.peer,
            "state": one.state,
            "tries": one.attempt,
            "instances": one.instances,
            "time": one.finished_at or one.due_at,
            "reason": one.error_text,
        }
        for one in records
    ]
    show_lines(lines, nothing="no studies were asked for")
    for total in sums:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(total.studies.items()))
        print(f"{total.peer}: {counts}", file=sys.stderr)


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        raise ConfigError(f"--list: {path} cannot be read as text") from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
