"""``pacs-ai echo``, ``send`` and ``commit``: what this node can ask of others."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import ConfigPath, Timeout, Verbose, named_job, read_config, single
from pacs_ai.config import Config, FolderPeer
from pacs_ai.destinations.addresses import (
    address,
    as_own,
    ask_whether_there,
    own_addresses,
    takes_tls_only,
)
from pacs_ai.destinations.kinds import probe_peer
from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.study_files import find_files
from pacs_ai.errors import ConfigError, PeerError, StoreRefused
from pacs_ai.flow.operate.commitment import ask_commitment
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import KeptAssociations, PeerAddress, StoreOutcome
from pacs_ai.uids import random_uid

echo = single()
send = single()
commit = single()

_ADDRESS = re.compile(r"(?P<aet>[^@\\]{1,16})@(?:\[(?P<ip6>[^]]+)\]|(?P<host>[^:]+)):(?P<port>\d+)")
_MAX_PORT = 65535

PeerName = Annotated[
    str, typer.Argument(metavar="PEER", help="Name in [peers.*], or AET@host:port.")
]


@echo.command()
def _echo(
    peer: Annotated[
        str | None,
        typer.Argument(
            metavar="PEER",
            help="Name in [peers.*], or AET@host:port.",
            show_default=False,
        ),
    ] = None,
    *,
    itself: Annotated[
        bool, typer.Option("--self", help="Ask this node instead, at every port that it opens.")
    ] = False,
    timeout: Timeout = 10,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Ask a peer whether it is there (C-ECHO), or whether this node is: a health check."""
    if (peer is None) != itself:
        raise typer.BadParameter("name a PEER, or --self for this node")
    settings = read_config(config, verbose=verbose)
    if peer in settings.peers and peer not in settings.dimse_peers:
        probe_peer(settings, peer, KeptAssociations())
        section = settings.peers[peer]
        well = "can be written" if isinstance(section, FolderPeer) else "answers"
        print(f"{section.where} {well}")
        return
    addresses = own_addresses(settings) if peer is None else [find_peer(settings, peer)]
    for where in addresses:
        started = time.monotonic()
        ask_whether_there(where, settings.node.ae_title, timeout)
        print(f"{show(where)} answers, {time.monotonic() - started:.3f} s")


@send.command()
def _send(
    peer: PeerName,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files, or folders of them.")],
    *,
    ask_commitment: Annotated[
        bool, typer.Option("--commit", help="Then ask whether the peer keeps them.")
    ] = False,
    timeout: Timeout = 30,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Send DICOM files to a peer, each as it is (C-STORE)."""
    settings = read_config(config, verbose=verbose)
    target = find_peer(settings, peer)
    if takes_tls_only(settings) and peer not in settings.peers and target.tls is None:
        raise ConfigError(
            f"{peer}: this node sends in clear text only to peers whose section says tls = false"
        )
    found = find_files(paths)
    started = time.monotonic()
    outcomes = client.store(
        target, settings.node.ae_title, found.files, on_answer=_say, timeout=timeout
    )
    stored = [outcome.path for outcome in outcomes if outcome.verdict.delivered]
    skipped = f", {found.others} no DICOM" if found.others else ""
    print(
        f"{len(stored)} of {len(outcomes)} stored at {show(target)}{skipped},"
        f" {time.monotonic() - started:.1f} s"
    )
    _raise_worst(outcomes)
    if ask_commitment:
        _ask_commitment(settings, target, stored, timeout)


@commit.command()
@with_node
def _commit(
    job: Annotated[str, typer.Argument(metavar="JOB", help="Its id, or the beginning of it.")],
    *,
    node_to_open: NodeToOpen,
) -> None:
    """Ask the peers that have got a job's results once more whether they keep them."""
    with node_to_open as node:
        asked = ask_commitment(node, named_job(job))
    for answer in asked:
        print(f"{answer.destination}: {answer.committed} of {answer.asked} committed")
    if any(answer.committed < answer.asked for answer in asked):
        print("The rest: the report comes to the listening node; see pacs-ai deliveries list.")


def find_peer(config: Config, name: str) -> PeerAddress:
    """Return where a peer is.

    Parameters
    ----------
    name
        Name of a section ``[peers.*]``, or ``AET@host:port``; an IPv6 address in brackets.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    if name in config.dimse_peers:
        return address(config, config.dimse_peers[name])
    if name in config.peers:
        raise ConfigError(f"peers.{name} is no DICOM node: this command cannot reach it")
    match = _ADDRESS.fullmatch(name)
    if match is None or not match["aet"].strip() or int(match["port"]) > _MAX_PORT:
        known = ", ".join(config.peers) or "none"
        raise ConfigError(f"{name!r} is neither a peer (known: {known}) nor AET@host:port")
    given = PeerAddress(match["aet"], match["ip6"] or match["host"], int(match["port"]))
    return as_own(config, given)


def show(where: PeerAddress) -> str:
    """Write an address as the command line takes it, and whether TLS is spoken."""
    host = f"[{where.host}]" if ":" in where.host else where.host
    return f"{where.ae_title}@{host}:{where.port}" + (" (TLS)" if where.tls else "")


def _say(outcome: StoreOutcome) -> None:
    """Report a file that was not stored, or stored with a remark."""
    if outcome.error is not None:
        print(f"{outcome.path}: {outcome.error.message}")
    elif outcome.warning:
        print(f"{outcome.path}: stored with status 0x{outcome.status:04X}")


def _raise_worst(outcomes: Sequence[StoreOutcome]) -> None:
    """End with the error that says most: a peer that is gone before an object that is refused."""
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if not errors:
        return
    gone = next((error for error in errors if error.retryable), None)
    if gone is not None:
        raise gone
    status = next((error.status for error in errors if isinstance(error, StoreRefused)), 0)
    raise StoreRefused(f"{len(errors)} of {len(outcomes)} refused: {errors[0].message}", status)


def _ask_commitment(
    config: Config, target: PeerAddress, paths: Sequence[Path], timeout: float
) -> None:
    headers = [read_header(path) for path in paths]
    references = [(header.sop_class_uid, header.sop_instance_uid) for header in headers]
    report = client.request_commitment(
        target,
        config.node.ae_title,
        random_uid(),
        references,
        wait_seconds=timeout,
        timeout=timeout,
    )
    if report is None:
        raise PeerError("the report did not come on this association: the peer sends it later")
    print(f"{len(report.committed)} of {len(references)} committed")
    if report.failed:
        reason = report.failed[0][2]
        raise StoreRefused(f"{len(report.failed)} not kept, reason 0x{reason:04X}", reason)
