"""``pacs-ai pull``: fetch studies from archives."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson, Limit, single
from pacs_ai.cli.tables import print_json, show_lines
from pacs_ai.errors import ConfigError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import pulls as operate
from pacs_ai.flow.retrieve.archives import named_archives
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
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="KEYWORD=VALUE",
            help="Search instead, as StudyDate=20240101-20241231; may be repeated.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --where: list what is found, fetch nothing.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also what was fetched before, or has failed.")
    ] = False,
    cancel: Annotated[
        bool,
        typer.Option(
            "--cancel",
            help="Cancel STUDY, or all of --from PEER, or all: what waits and what is fetched now.",
        ),
    ] = False,
    state: Annotated[
        PullState | None,
        typer.Option("--state", help="List only what is in this state.", show_default=False),
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """Fetch studies from an archive; without STUDY, --list and --where: show how far that is.

    The node that runs fetches one study after the other. What is to be fetched is kept: the same
    command again asks for nothing twice.
    """
    asked = bool(studies) or file is not None
    if where and (asked or cancel):
        raise typer.BadParameter("--where does not go with STUDY, --list or --cancel")
    if dry_run and not where:
        raise typer.BadParameter("--dry-run goes with --where: it lists what a search finds")
    uids = [*(studies or []), *(_read(file) if file is not None else [])]
    if asked and not uids:
        raise typer.BadParameter("--list: the file names no study")
    with node_to_open as node:
        if cancel:
            print(f"{_studies(operate.cancel_pulls(node, peer, uids))} cancelled")
        elif where:
            _search(node, _named(node, peer), _conditions(where), again=again, dry_run=dry_run)
        elif asked:
            archive = _named(node, peer)
            new = operate.pull_studies(node, archive, uids, again=again)
            _say(archive, new, len(set(uids)) - new)
        else:
            _list(node, state, peer, limit, as_json=as_json)


def _list(
    node: FlowContext, state: PullState | None, peer: str | None, limit: int, *, as_json: bool
) -> None:
    """Show how far it is: a study a line, and their numbers."""
    records = operate.list_pulls(node, state, peer, limit)
    if as_json:
        print_json([to_dict(one) for one in records])
        return
    lines = [
        {
            "state": one.state,
            "from": one.peer,
            "tries": one.attempt,
            "instances": one.instances,
            "time": one.finished_at or one.due_at,
            "study": f"{one.study_instance_uid}{': ' if one.error_text else ''}{one.error_text}",
        }
        for one in records
    ]
    show_lines(lines, nothing="no studies were asked for", whole=["study"])
    for total in operate.sum_pulls(node):
        counts = ", ".join(f"{count} {name}" for name, count in sorted(total.studies.items()))
        print(f"{total.peer}: {counts}", file=sys.stderr)


def _say(archive: str, new: int, known: int) -> None:
    """Say what was asked for, and who does it."""
    print(f"{_studies(new)} to be fetched from {archive}; {known} known already")
    if new:
        print("the node fetches them while it runs; pacs-ai pull shows how far", file=sys.stderr)


def _studies(count: int) -> str:
    return "1 study" if count == 1 else f"{count} studies"


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        raise ConfigError(f"--list: {path} is not there, or is no text") from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _named(node: FlowContext, peer: str | None) -> str:
    if peer is None:
        raise typer.BadParameter(f"name an archive with --from; {named_archives(node.config)}")
    return peer


def _conditions(where: list[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in where]
    if not all(sign for _, sign, _ in pairs) or len({key for key, _, _ in pairs}) < len(pairs):
        raise typer.BadParameter("--where takes KEYWORD=VALUE, and each keyword once")
    return {key.strip(): value for key, _, value in pairs}


def _search(
    node: FlowContext, peer: str, where: dict[str, str], *, again: bool, dry_run: bool
) -> None:
    """Say how much there is, then ask for it."""
    found = operate.search_studies(node, peer, where)
    images = sum(one.instances or 0 for one in found)
    if dry_run:
        lines = [
            {
                "study": one.study_instance_uid,
                "date": one.study_date,
                "modalities": ", ".join(one.modalities),
                "series": one.series,
                "instances": one.instances,
            }
            for one in found
        ]
        show_lines(lines, nothing="nothing was found")
    print(f"{peer}: {_studies(len(found))} found, with {images} instances", file=sys.stderr)
    if not dry_run:
        asked = operate.pull_found(node, peer, found, again=again)
        _say(peer, asked.new, asked.studies - asked.new)
