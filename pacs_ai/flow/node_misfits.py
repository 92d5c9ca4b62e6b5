"""What is wrong between the nodes of a database: clocks, names, versions, settings, the spool."""

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pacs_ai.errors import ConfigError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.current_rules import node_of
from pacs_ai.store import running_nodes
from pacs_ai.store.running_nodes import RunningNode
from pacs_ai.store.session import Session

BEAT_SECONDS = 5.0
"""Time between two signs of life of a node."""

NEW_SIGN_SECONDS = 2 * BEAT_SECONDS + 1
"""A node at work gives a new sign within this time."""

KEPT = timedelta(days=1)
"""For how long a node is listed that gives no sign of life."""

FRESH = timedelta(seconds=60)
"""A sign of life that is younger may be that of a node at work."""

CLOCK_WARNS, CLOCK_REFUSES = 5.0, 60.0
"""Seconds by which the clock of a node may differ from that of the database."""

_OWN_SECTIONS = ("node", "storage", "engine", "limits", "tls", "log", "web")
"""Sections in which nodes of one database may differ."""

_BOOT_FILE = "boot"
_KERNEL = Path("/proc/sys/kernel/random/boot_id")
_SPOOL_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Misfit:
    """What is wrong between nodes, and what to do about it.

    Parameters
    ----------
    refused
        Whether a node does not start with it.
    """

    text: str
    remedy: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class NodesSeen:
    """The nodes of a database, as somebody saw them who is none of them.

    Parameters
    ----------
    at_work
        Names of those that gave a sign of life in the last minute; if the lock of one is free, in
        the last seconds.
    listening
        Those of them that receive.
    silent
        The others, with their last sign of life.
    misfits
        What is wrong between those at work.
    """

    at_work: Sequence[str]
    listening: Collection[str]
    silent: Mapping[str, datetime]
    misfits: Sequence[Misfit]


def look_at_nodes(context: FlowContext) -> NodesSeen:
    """Compare the nodes of a database with each other, with this machine's clock and spool.

    A free lock says that its node has ended without a word, or that locks do not hold between
    hosts: then this waits for a new sign of life.
    """
    with context.database.read() as session:
        ahead = clock_ahead(context, session)
    nodes = _fresh_nodes(context)
    suspect = {one.name: one.sign for one in nodes if not context.spool.works(one.name)}
    if suspect:
        context.clock.sleep(NEW_SIGN_SECONDS)
        nodes = _fresh_nodes(context)
    at_work = [one for one in nodes if suspect.get(one.name) != one.sign]
    names = [one.name for one in at_work]
    found = [*clock_misfits(ahead)]
    found += spool_misfits(context, silent=suspect.keys() - names)
    found += [
        Misfit(
            f"the clock of node {one.name} is {one.clock_ahead:+.0f} s from that of the database",
            "synchronise both with a time server",
        )
        for one in at_work
        if abs(one.clock_ahead) > CLOCK_WARNS
    ]
    if at_work:
        found += differences(at_work[0], at_work[1:])
    with context.database.read() as session:
        all_nodes = running_nodes.all_nodes(session)
    silent = {one.name: one.seen_at for one in all_nodes if one.name not in names}
    return NodesSeen(names, {one.name for one in at_work if one.listening}, silent, found)


def refuse(found: Iterable[Misfit]) -> None:
    """Raise `ConfigError` for what a node does not start with."""
    refused = [one for one in found if one.refused]
    if refused:
        raise ConfigError("; ".join(f"{one.text}: {one.remedy}" for one in refused))


def clock_misfits(ahead: float) -> Iterator[Misfit]:
    """Say how far this machine's clock is from that of the database, if that is too far."""
    if abs(ahead) > CLOCK_WARNS:
        side = "ahead of" if ahead > 0 else "behind"
        yield Misfit(
            f"the clock of this machine is {abs(ahead):.0f} s {side} that of the database",
            "synchronise both with a time server",
            refused=abs(ahead) > CLOCK_REFUSES,
        )


def differences(own: RunningNode, others: Sequence[RunningNode]) -> Iterator[Misfit]:
    """Name the nodes of another version, or with another configuration."""
    for one in others:
        if (one.version, one.schema_step) != (own.version, own.schema_step):
            yield Misfit(
                f"node {one.name} is of version {one.version} (schema {one.schema_step}), "
                f"{own.name} of version {own.version} (schema {own.schema_step})",
                "bring all nodes to one version: see docs/cluster.md, Upgrades",
            )
            continue  # another version may have other sections
        names = _different_sections(own.settings, one.settings)
        if names:
            yield Misfit(
                f"node {one.name} has other settings than {own.name} in: {', '.join(names)}",
                "give all nodes of a database the same file",
            )


def _different_sections(own: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    names = {*own, *other}.difference(_OWN_SECTIONS)
    return sorted(name for name in names if own.get(name) != other.get(name))


def spool_misfits(
    context: FlowContext, *, seconds: float = 0.0, silent: Collection[str] = ()
) -> Iterator[Misfit]:
    """Name nodes that write into another spool, and those whose locks do not hold here.

    Parameters
    ----------
    seconds
        For how long to look again: a mount may show late what another node writes.
    silent
        Nodes that give no sign of life: that their lock is free says nothing of locks.
    """
    root, deadline = context.spool.root, time.monotonic() + seconds
    while True:
        others = others_at_work(context)
        strange = [one for one in others if _written_boot(root, one.name) != one.boot]
        if not strange or time.monotonic() >= deadline:
            break
        time.sleep(_SPOOL_PAUSE)
    for one in strange:
        yield Misfit(
            f"spool {root}: what node {one.name} has written cannot be read here",
            "mount the same folder on all nodes",
            refused=True,
        )
    for one in others:
        if one in strange or one.name in silent or one.machine == machine():
            continue
        if not context.spool.works(one.name):
            yield Misfit(
                f"spool {root}: the file locks of node {one.name} do not hold here",
                "mount it with locks that hold between hosts (NFS: without nolock, local_lock)",
            )


def others_at_work(context: FlowContext) -> list[RunningNode]:
    """Return the other nodes that gave a sign of life lately."""
    return [one for one in _fresh_nodes(context) if one.name != node_of(context)]


def _fresh_nodes(context: FlowContext) -> list[RunningNode]:
    with context.database.read() as session:
        now = running_nodes.database_time(session, context.now())
        nodes = running_nodes.all_nodes(session)
    return [one for one in nodes if now - one.seen_at < FRESH]


def _written_boot(root: Path, node: str) -> str:
    try:
        return boot_file(root, node).read_text("ascii")
    except (OSError, ValueError):
        return ""


def boot_file(root: Path, node: str) -> Path:
    """Return the file in which a node writes what stands for its start."""
    return root / node / _BOOT_FILE


def clock_ahead(context: FlowContext, session: Session) -> float:
    """Return by how many seconds this clock is ahead of that of the database."""
    before = context.now()
    there = running_nodes.database_time(session, before)
    after = context.now()
    # a slow answer tells nothing of the clocks
    return max(0.0, (before - there).total_seconds()) + min(0.0, (after - there).total_seconds())


def boot_of(context: FlowContext) -> str:
    """Return what stands for this start of the daemon."""
    return context.owner.split("/")[1]


def machine() -> str:
    """Return what stands for this start of the system; of no other machine it is the same."""
    try:
        return _KERNEL.read_text("ascii").strip()
    except OSError:
        return f"unknown-{os.uname().nodename}"[:64]
