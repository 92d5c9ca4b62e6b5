"""What makes every crash harmless: rows are the truth, and this brings all else in line with them.

`restart` runs once, when a daemon begins; `sweep` runs again and again on every node.
"""

from collections.abc import Callable, Collection, Sequence

from pacs_ai.domain import TaskKind
from pacs_ai.engine.base import HeldTask
from pacs_ai.errors import BundleChanged, StorageError
from pacs_ai.flow import retry
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.ask import ask_analysis, ask_delivery, ask_route
from pacs_ai.flow.check_files import FileCheck
from pacs_ai.flow.context import JOINT, FlowContext, pair_key, split_pair
from pacs_ai.flow.deliver import release
from pacs_ai.flow.identify import identify
from pacs_ai.flow.off_peak import wake_off_peak
from pacs_ai.flow.priors.wait import wake_those_with_priors
from pacs_ai.flow.shadow import has_shadows
from pacs_ai.logs import get_logger
from pacs_ai.store import (
    brought,
    commitments,
    deliveries,
    kept_predictions,
    leases,
    pulls,
    studies,
    waiting_jobs,
    withdrawals,
    withholding,
)
from pacs_ai.store.session import BUSY_SECONDS, Session, Transaction

Held = leases.HeldLease | HeldTask
"""What a process holds while it works on it."""

_log = get_logger()


def restart(context: FlowContext, arrivals: Arrivals) -> None:
    """Settle what the last daemon of this node left behind.

    Parts are removed: their senders were never told of a success. Files and rows are compared
    (`pacs_ai.flow.check_files`). Leases of this node's dead workers are taken back at once.
    """
    removed = context.spool.clear_parts()
    orphans = FileCheck(context, arrivals).run()
    identify(context)
    returned = _take_back_own(context)
    with context.write() as transaction:
        waiting_jobs.wake_for(transaction, BundleChanged.code)
        pulls.take_back(transaction, context.spool.node)
    _ask_again(context)
    if removed or returned or orphans:
        _log.warning(
            "recovered from a crash",
            parts_removed=removed,
            orphans=orphans,
            leases_returned=returned,
        )


def take_over(context: FlowContext, is_gone: Callable[[str], bool]) -> None:
    """Receive on for nodes that are gone: a container that got another host name, a dead machine.

    Their studies would never be complete otherwise; the quiet time starts again. A node that only
    seemed to be gone takes a study back with its next instance. What they were fetching from an
    archive is fetched again. Leases expire by themselves.

    Parameters
    ----------
    is_gone
        Tells it of a node: see `pacs_ai.flow.presence`.
    """
    mine = context.spool.node
    with context.database.read() as session:
        others = (studies.receiving_nodes(session) | pulls.fetching_nodes(session)) - {mine}
    for gone in sorted(node for node in others if is_gone(node)):
        with context.write() as transaction:
            brought.note_gone(transaction, gone)
            taken = studies.take_over(transaction, gone, mine)
            fetching = pulls.take_back(transaction, gone)
        _log.warning(
            "receiving on for a node that is gone", node=gone, studies=taken, fetching=fetching
        )


def _take_back_own(context: FlowContext) -> int:
    """Free what this node's workers held; the spool's lock says that none of them lives."""
    mine = f"{context.spool.node}/"
    with context.write() as transaction:
        lost = [lease for lease in _held(context, transaction) if lease.owner.startswith(mine)]
        for lease in lost:
            _take_back(context, transaction, lease, blame=leases.Blame.NODE)
    return len(lost)


def _ask_again(context: FlowContext) -> None:
    """Ask archives again: the question may never have left, the report may have come in vain."""
    with context.write() as transaction:
        for delivery in commitments.asked_by(transaction, context.spool.node):
            commitments.ask_later(transaction, delivery)
            key = pair_key(delivery.job_id, delivery.destination)
            context.engine.enqueue(transaction, TaskKind.COMMIT, key)


def _held(context: FlowContext, session: Session) -> list[Held]:
    return [*leases.held(session), *context.engine.held(session)]


def _take_back(
    context: FlowContext, transaction: Transaction, held: Held, *, blame: leases.Blame
) -> None:
    """Free a job, a delivery or a task whose holder is gone."""
    if isinstance(held, HeldTask):
        context.engine.take_back(transaction, held, last=blame is not leases.Blame.NOBODY)
        return
    state = leases.take_back(transaction, held, blame=blame)
    if held.is_job and state:
        _log.warning("job taken back", job=held.id, state=state)


class LeaseWatch:
    """Measures, on this process's monotonic clock, how long each lease was not renewed."""

    def __init__(self) -> None:
        self._since: dict[Held, float] = {}

    def excuse(self, seconds: float) -> None:
        """Leave out a time in which the database was busy: nobody could renew a lease then."""
        self._since = {lease: since + seconds for lease, since in self._since.items()}

    def expired(self, held: Sequence[Held], lease_seconds: float, now: float) -> list[Held]:
        """Return the leases that stayed the same for longer than they last."""
        self._since = {lease: self._since.get(lease, now) for lease in held}
        return [lease for lease, since in self._since.items() if now - since > lease_seconds]


def sweep(context: FlowContext, watch: LeaseWatch) -> None:
    """Take expired leases back, wake what is due, and give every open row its task."""
    seconds = context.config.engine.lease_seconds
    begin = context.clock.monotonic()
    try:
        with context.write() as transaction:
            now = context.clock.monotonic()
            watch.excuse(now - begin)
            for lease in watch.expired(_held(context, transaction), seconds, now):
                _take_back(context, transaction, lease, blame=leases.Blame.WORKER)
    except StorageError:
        watch.excuse(context.clock.monotonic() - begin)
        raise
    release(context)
    pause = retry.longest(retry.JOB_PAUSES[1])
    with context.write() as transaction:
        waiting_jobs.wake_due(transaction, longest=pause)
        wake_off_peak(context, transaction)
        wake_those_with_priors(context, transaction)
        withholding.cancel_void(transaction)
        _give_tasks(context, transaction)


def take_back_from(
    context: FlowContext,
    owners: Collection[str],
    blame: leases.Blame,
    *,
    busy_seconds: float = BUSY_SECONDS,
) -> None:
    """Take back at once what processes of this node held when they ended.

    Raises
    ------
    StorageError
        If the database does not take it within `busy_seconds`. The next start does it then.
    """
    with context.write(busy_seconds=busy_seconds) as transaction:
        for lease in _held(context, transaction):
            if lease.owner in owners:
                _take_back(context, transaction, lease, blame=blame)
        _give_tasks(context, transaction)


def _give_tasks(context: FlowContext, transaction: Transaction) -> None:
    """Make the task of any row that should have one: losing them all costs a moment."""
    engine, told = context.engine, context.config.told_of_withdrawals
    routes = {pair_key(*pair): (pair, one) for pair, one in studies.complete(transaction).items()}
    for key in _without_task(context, transaction, TaskKind.ROUTE, list(routes)):
        ask_route(context, transaction, *routes[key])
    for key in engine.lost(transaction, TaskKind.ANALYSE, waiting_jobs.queued()):
        ask_analysis(context, transaction, key)
    held_back = context.limits.turned_away()  # they get it when their destination has a place
    for key in engine.lost(transaction, TaskKind.DELIVER, deliveries.pending(JOINT)):
        if key not in held_back:
            ask_delivery(context, transaction, *split_pair(key))
    others = {TaskKind.WITHDRAW: withdrawals.studies_that_owe(transaction, told)}
    if has_shadows(context):
        others[TaskKind.SHADOW] = list(kept_predictions.ready(transaction))
    for kind, keys in others.items():
        for key in _without_task(context, transaction, kind, keys):
            engine.enqueue(transaction, kind, key)


def _without_task(
    context: FlowContext, transaction: Transaction, kind: TaskKind, keys: Sequence[str]
) -> list[str]:
    existing = context.engine.existing(transaction, kind) if keys else set()
    return [key for key in keys if key not in existing]
