"""Which nodes are at work, and whether they fit together: the same spool, clocks, configuration.

A node enters itself into a row when it starts, and gives a sign of life there every
`pacs_ai.flow.node_misfits.BEAT_SECONDS`.
Each of the others counts how often it has looked and found no new sign.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from pacs_ai import __version__
from pacs_ai.errors import ConfigError
from pacs_ai.files import PRIVATE, atomic_write
from pacs_ai.flow.audit.note import section_digests
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.current_rules import node_of
from pacs_ai.flow.node_misfits import (
    FRESH,
    KEPT,
    NEW_SIGN_SECONDS,
    Misfit,
    boot_file,
    boot_of,
    clock_ahead,
    clock_misfits,
    differences,
    machine,
    refuse,
    spool_misfits,
)
from pacs_ai.logs import get_logger
from pacs_ai.store import brought, running_nodes
from pacs_ai.store.running_nodes import RunningNode
from pacs_ai.store.session import BUSY_SECONDS
from pacs_ai.store.version import SCHEMA_STEP

SILENT_LOOKS = 6
"""After so many looks without a new sign of life, `BEAT_SECONDS` apart, a node is gone."""

_SPOOL_SECONDS = 5.0

_log = get_logger()


def join(context: FlowContext, *, listening: bool) -> None:
    """Enter this node, after a look at the others.

    To be called by the one daemon that has locked its folder of the spool, before it changes
    anything there.

    Raises
    ------
    ConfigError
        If another host works under this name, a clock is wrong, or another spool is mounted here.
    """
    with context.database.read() as session:
        ahead = clock_ahead(context, session)
        now = running_nodes.database_time(session, context.now())
        nodes = running_nodes.all_nodes(session)
    refuse(clock_misfits(ahead))
    _refuse_name(context, nodes, now)
    own = _enter(context, now, ahead, listening=listening)
    try:
        refuse(spool_misfits(context, seconds=_SPOOL_SECONDS))
    except ConfigError:
        leave(context)
        raise
    others = [one for one in nodes if one.name != own.name and now - one.seen_at < FRESH]
    for one in (*clock_misfits(ahead), *differences(own, others)):
        _log.warning("nodes do not fit together", what=one.text, remedy=one.remedy)


def leave(context: FlowContext, *, busy_seconds: float = BUSY_SECONDS) -> None:
    """Take this node's row out: others receive on at once for a node that has ended in order.

    Those that close studies of which this node has brought a part do not wait for more of it.
    """
    with context.write(busy_seconds=busy_seconds) as transaction:
        brought.note_ended(transaction, node_of(context))
        running_nodes.leave(transaction, node_of(context), boot_of(context))


class Presence:
    """Gives signs of life, and knows which nodes give none.

    Parameters
    ----------
    context
        The node, after `join`.
    listening
        Whether it receives.
    lost
        Called if another host has this node's name now: then this one must not go on.
    """

    def __init__(self, context: FlowContext, lost: Callable[[], None], *, listening: bool) -> None:
        self._context = context
        self._lost = lost
        self._listening = listening
        self._last: dict[str, tuple[str, int]] = {}
        self._silent: dict[str, int] = {}
        self._found: set[str] = set()
        self._told: set[str] = set()

    def sweep(self) -> None:
        """Look at the others, then give a sign of life if the spool is within reach.

        A node without its spool can do nothing for its studies: the others shall take them.
        """
        context = self._context
        with context.database.read() as session:
            ahead = clock_ahead(context, session)
            now = running_nodes.database_time(session, context.now())
            nodes = running_nodes.all_nodes(session)
        self._look([one for one in nodes if one.name != node_of(context)])
        if not context.spool.present():
            return
        with context.write(durable=False) as transaction:
            running_nodes.forget(transaction, now - KEPT)
            mine = running_nodes.beat(transaction, node_of(context), boot_of(context), now, ahead)
        if not mine:
            self._missed(nodes, now, ahead)
        silent = {name for name, looks in self._silent.items() if looks}
        self._tell([*clock_misfits(ahead), *spool_misfits(context, silent=silent)])

    def is_gone(self, node: str) -> bool:
        """Tell whether a node is gone, as far as this one has looked.

        A node without a row has ended in order, or is of a version before that had none: then the
        lock of its folder tells.
        """
        if node not in self._last:
            return not self._context.spool.works(node)
        return self._silent[node] >= SILENT_LOOKS

    def _look(self, others: Iterable[RunningNode]) -> None:
        last = {one.name: one.sign for one in others}
        self._silent = {
            name: self._silent.get(name, 0) + 1 if self._last.get(name) == sign else 0
            for name, sign in last.items()
        }
        self._last = last

    def _missed(self, nodes: Iterable[RunningNode], now: datetime, ahead: float) -> None:
        """Enter this node again where its row is gone, unless another has its place."""
        context = self._context
        if all(one.name != node_of(context) for one in nodes):
            _enter(context, now, ahead, listening=self._listening)
        elif any((one.name, one.boot) == (node_of(context), boot_of(context)) for one in nodes):
            return  # it was there a moment ago: the next sweep knows more
        else:
            _log.error("another host has the name of this node", node=node_of(context))
            self._lost()

    def _tell(self, found: Sequence[Misfit]) -> None:
        """Log once what was found twice: a node that starts may be seen half."""
        for one in found:
            if one.remedy in self._found and one.remedy not in self._told:
                _log.error("nodes do not work together", what=one.text, remedy=one.remedy)
                self._told.add(one.remedy)
        self._found = {one.remedy for one in found}
        self._told &= self._found


def _refuse_name(context: FlowContext, nodes: Sequence[RunningNode], now: datetime) -> None:
    """Refuse a name under which another machine works; on this one, the lock tells it."""
    earlier = next((one for one in nodes if one.name == node_of(context)), None)
    if earlier is None or earlier.machine == machine() or now - earlier.seen_at >= FRESH:
        return
    _log.info("waiting for a sign of life of an earlier node of this name", node=earlier.name)
    context.clock.sleep(NEW_SIGN_SECONDS)
    with context.database.read() as session:
        nodes = running_nodes.all_nodes(session)
    for one in nodes:
        if one.name == earlier.name and one.sign != earlier.sign:
            raise ConfigError(
                f"another host named {one.name} works with this database and spool: "
                "give each host a name of its own"
            )


def _enter(context: FlowContext, now: datetime, ahead: float, *, listening: bool) -> RunningNode:
    """Write who this node is into its folder and its row: others compare both."""
    atomic_write(boot_file(context.spool.root, node_of(context)), boot_of(context), mode=PRIVATE)
    own = RunningNode(
        name=node_of(context),
        boot=boot_of(context),
        machine=machine(),
        listening=listening,
        version=__version__,
        schema_step=SCHEMA_STEP,
        settings=section_digests(context.config),
        started_at=now,
        seen_at=now,
        beats=0,
        clock_ahead=ahead,
    )
    with context.write() as transaction:
        running_nodes.enter(transaction, own)
    return own
