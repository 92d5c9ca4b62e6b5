"""Studies: one function for each transition of their state machine."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryState, JobState, StudyId, StudyState
from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.priorities import Priority
from pacs_ai.store import instances, results, withholding
from pacs_ai.store.feedback_documents import studies_to_read
from pacs_ai.store.indexes import UNMATCHED
from pacs_ai.store.schema import Delivery, Instance, Job, Result, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import move
from pacs_ai.store.withholding import studies_with_void_results

_JOBS_AT_WORK = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING, JobState.FAILED)
_DELIVERIES_AT_WORK = (
    DeliveryState.PENDING,
    DeliveryState.SENDING,
    DeliveryState.WAITING,
    DeliveryState.COMMITTING,
    DeliveryState.FAILED,
)
_HAS_FILE = Result.path != sa.literal_column("''")
"""As the index of the results that have files has it."""
_BUSY_DELIVERIES = sa.exists().where(
    Job.study_id == Study.id, Delivery.job_id == Job.id, Delivery.state.in_(_DELIVERIES_AT_WORK)
)


def receiving(session: Session, node: str) -> Sequence[Study]:
    """Return the studies that this node is still receiving, the most urgent ones first."""
    query = sa.select(Study).where(Study.state == StudyState.RECEIVING, Study.node == node)
    return session.scalars(query.order_by(Study.priority, Study.id)).all()


def receiving_urgent(session: Session, node: str) -> Sequence[Study]:
    """Return the urgent ones among the studies that this node is still receiving."""
    query = sa.select(Study).where(
        Study.state == StudyState.RECEIVING,
        Study.node == node,
        Study.priority == Priority.URGENT,
    )
    return session.scalars(query.order_by(Study.id)).all()


def hasten(transaction: Transaction, study_id: StudyId, priority: Priority) -> None:
    """Give a study a higher priority; one that has it already, or a higher one, keeps its own."""
    transaction.execute(
        sa.update(Study)
        .where(Study.id == study_id, Study.priority > priority)
        .values(priority=priority)
    )


def receiving_nodes(session: Session) -> set[str]:
    """Return the nodes that have begun to receive a study and not closed it."""
    query = sa.select(Study.node).where(Study.state == StudyState.RECEIVING).distinct()
    return set(session.scalars(query))


def take_over(transaction: Transaction, gone: str, node: str) -> int:
    """Make a node close what another one, which is gone, was receiving; returns how many."""
    changed = transaction.execute(
        sa.update(Study)
        .where(Study.state == StudyState.RECEIVING, Study.node == gone)
        .values(node=node)
    )
    return cast("sa.CursorResult[Any]", changed).rowcount


def close(transaction: Transaction, study_id: StudyId, revision: int, *, reason: str) -> bool:
    """Move RECEIVING → COMPLETE: no more instances are expected in this revision."""
    return move(
        transaction,
        Study,
        study_id,
        (StudyState.RECEIVING, StudyState.COMPLETE),
        fence={"revision": revision},
        note=reason,
        closed_at=transaction.now,
    )


def routed(transaction: Transaction, study_id: StudyId, revision: int, *, reason: str) -> bool:
    """Move COMPLETE → ROUTED: its jobs exist, or `reason` says why there are none."""
    return move(
        transaction,
        Study,
        study_id,
        (StudyState.COMPLETE, StudyState.ROUTED),
        fence={"revision": revision},
        note=reason,
        reason=reason,
    )


def wait_for_route(transaction: Transaction, study_id: StudyId, revision: int, reason: str) -> None:
    """Note why a COMPLETE study has no route yet; its route overwrites the reason."""
    transaction.execute(
        sa.update(Study)
        .where(
            Study.id == study_id,
            Study.revision == revision,
            Study.state == StudyState.COMPLETE,
        )
        .values(reason=reason)
    )


def reopen(transaction: Transaction, study: Study, *, note: str) -> int:
    """Move CONFLICT/COMPLETE/ROUTED → RECEIVING with the next revision, on an operator's word.

    Raises
    ------
    IllegalTransition
        If the study is in a state from which there is no way back.
    """
    state = StudyState(study.state)
    if state not in (StudyState.CONFLICT, StudyState.COMPLETE, StudyState.ROUTED):
        raise IllegalTransition(f"study {study.id} is {state}: it cannot be opened again")
    revision = study.revision + 1
    withholding.cancel_older(transaction, StudyId(study.id), revision)
    moved = move(
        transaction,
        Study,
        study.id,
        (state, StudyState.RECEIVING),
        note=note,
        revision=revision,
        first_received_at=transaction.now,
        last_received_at=transaction.now,
        closed_at=None,
        reason="",
    )
    if not moved:
        raise StateError(f"study {study.id} changed meanwhile: look again")
    return revision


def purgeable(
    session: Session, before: datetime, *, most: int, after: Study | None = None
) -> Sequence[Study]:
    """Return ROUTED studies idle since `before` with nothing left to do or to decide.

    Parameters
    ----------
    most
        How many at most; those whose images began to come first.
    after
        Only those behind this one in that order.
    """
    query = _nothing_left().where(
        Study.first_received_at < before,  # follows from the next one, and has an index
        Study.last_received_at < before,
    )
    if after is not None:
        query = query.where(
            Study.first_received_at >= after.first_received_at,
            sa.or_(Study.first_received_at > after.first_received_at, Study.id > after.id),
        )
    return session.scalars(query.order_by(Study.first_received_at, Study.id).limit(most)).all()


def droppable(session: Session, *, most: int, after: Study | None = None) -> Sequence[Study]:
    """Return ROUTED studies that no rule matches and that never had a job; see `purgeable`."""
    query = _nothing_left().where(UNMATCHED, ~sa.exists().where(Job.study_id == Study.id))
    if after is not None:
        query = query.where(Study.id > after.id)
    return session.scalars(query.order_by(Study.id).limit(most)).all()


def _nothing_left() -> sa.Select[Study]:
    busy_jobs = sa.exists().where(Job.study_id == Study.id, Job.state.in_(_JOBS_AT_WORK))
    return sa.select(Study).where(
        Study.state == StudyState.ROUTED,
        ~busy_jobs,
        ~_BUSY_DELIVERIES,
        Study.id.not_in(studies_to_read()),
    )


def purged_with_files(session: Session, study_id: int | None = None) -> Sequence[int]:
    """Return the ids of PURGED studies that have files again, all of them delivered.

    These are the notices of results that do not hold any more.

    Parameters
    ----------
    study_id
        Only this one; None for all.
    """
    has_file = sa.exists().where(Job.study_id == Study.id, Result.job_id == Job.id, _HAS_FILE)
    which = Study.id.in_(studies_with_void_results()) if study_id is None else Study.id == study_id
    query = sa.select(Study.id).where(
        which, Study.state == StudyState.PURGED, has_file, ~_BUSY_DELIVERIES
    )
    return session.scalars(query).all()


def purge_again(transaction: Transaction, study_id: int) -> list[str]:
    """Forget the files of a PURGED study that was purged before, and return their paths."""
    if not purged_with_files(transaction, study_id):  # something is to be sent again
        return []
    return results.forget_files(transaction, StudyId(study_id))


def purge(transaction: Transaction, study: Study) -> list[str] | None:
    """Move ROUTED → PURGED: drop the instance rows and return the paths of all files.

    The results' rows stay without their files. None if the study moved meanwhile, for example
    because an instance just arrived, or a report waits to be read for feedback.
    """
    waiting = studies_to_read().where(Instance.study_id == study.id)
    if transaction.scalar(waiting.limit(1)) is not None:
        return None
    moved = move(
        transaction,
        Study,
        study.id,
        (StudyState.ROUTED, StudyState.PURGED),
        fence={"revision": study.revision},
    )
    if not moved:
        return None
    paths = instances.remove(transaction, StudyId(study.id))
    return paths + results.forget_files(transaction, StudyId(study.id))


def complete(session: Session) -> dict[tuple[StudyId, int], Priority]:
    """Return the studies that wait for their route: their priority by id and revision."""
    query = sa.select(Study.id, Study.revision, Study.priority)
    return {
        (StudyId(study_id), revision): Priority(priority)
        for study_id, revision, priority in session.execute(
            query.where(Study.state == StudyState.COMPLETE)
        )
    }
