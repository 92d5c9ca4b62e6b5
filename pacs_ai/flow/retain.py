"""At the end of the keep time a finished study's files go, its results' too; its history stays."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from pacs_ai.flow.batches import in_batches
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.evidence.keep import keep_evidence
from pacs_ai.flow.remove import remove_files
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.store import kept_predictions, studies, withdrawals
from pacs_ai.store.schema import Study
from pacs_ai.store.session import Session

_AT_ONCE = 500
"""How many studies are looked for at once."""

_log = get_logger()


class _Find(Protocol):
    """Finds studies to remove, behind one that was found before."""

    def __call__(self, session: Session, *, after: Study | None, most: int) -> Sequence[Study]: ...


def retain(context: FlowContext, today: datetime | None = None) -> int:
    """Remove the files of studies that are finished and older than ``retention.images_days``.

    Instances and results alike: what was to be delivered has been, what was to be fetched was
    there for as long. A study of which a destination has still to be told that results do not hold
    keeps its files: the notice is made from them.

    Rows go before files: a crash in between leaves files, which the next start removes, and never
    rows without one. Studies with anything failed or still to be done are kept whatever their age,
    and with ``routing.unmatched = "drop"`` those that no rule matches go at once. While the spool
    is out of reach nothing is purged: its files would be orphans when it is back.

    Parameters
    ----------
    today
        The date by which files age; that of the clock, if not given.

    Returns
    -------
    int
        How many studies were purged.
    """
    if not context.spool.present():
        return 0
    before = (today or context.now()) - timedelta(days=context.config.kept.images_days)
    with context.database.read() as session:
        owing = withdrawals.studies_that_owe(session, context.config.told_of_withdrawals)
    purged = sum(
        _purge(context, study)
        for study in _candidates(context, before)
        if str(study.id) not in owing
    )
    _remove_notices(context)
    return purged


def _candidates(context: FlowContext, before: datetime) -> Iterator[Study]:
    """Find the studies some at a time: a node that begins to remove may have millions."""
    finds: list[_Find] = [partial(studies.purgeable, before=before)]
    if context.config.routing.unmatched == "drop":
        finds.append(studies.droppable)
    for find in finds:
        after: Study | None = None
        while not context.stopping.is_set():
            with context.database.read() as session:
                found = find(session, after=after, most=_AT_ONCE)
            yield from found
            if len(found) < _AT_ONCE:
                break
            after = found[-1]


def _purge(context: FlowContext, study: Study) -> bool:
    """Remove the files of one study, in a transaction of its own; False if it has to stay."""
    keep_evidence(context, study)
    with context.write() as transaction:
        now = transaction.get_one(Study, study.id, with_for_update=True)
        if withdrawals.owed(transaction, now, context.config.told_of_withdrawals):
            return False
        paths = studies.purge(transaction, study)
    if paths is None:
        return False
    remove_files(context, paths)
    _log.info("study purged", study=study_ref(study.study_instance_uid), files=len(paths))
    return True


def _remove_notices(context: FlowContext) -> None:
    """Remove what has told destinations that results of studies without files do not hold."""
    with context.database.read() as session:
        again = studies.purged_with_files(session)
    for study_id in again:
        with context.write() as transaction:
            paths = studies.purge_again(transaction, study_id)
        remove_files(context, paths)


def expire_predictions(context: FlowContext, today: datetime) -> None:
    """Remove predictions in shadow and of replays that are older than ``retention.shadow_days``."""
    before = today - timedelta(days=context.config.kept.shadow_days)
    in_batches(context, partial(kept_predictions.expire, before=before), durable=False)
