"""Delete a study, so that it can be sent again; its audit trail stays."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryState, JobState, StudyId, StudyState
from pacs_ai.errors import IllegalTransition
from pacs_ai.store import brought, completeness, instances, kept_predictions, priors, results
from pacs_ai.store.schema import Delivery, Event, Job, Result, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import move

_NOT_YET = (StudyState.RECEIVING, StudyState.COMPLETE)
_JOBS = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)
_ON_THE_WAY = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.WAITING)
_LEAVING = (DeliveryState.SENDING,)
_REMOVED = (StudyState.PURGED, StudyState.DELETED)


@dataclass(frozen=True, slots=True)
class Deleted:
    """The files whose rows were deleted, and the number of results that peers keep."""

    paths: list[str]
    delivered: int


def delete(transaction: Transaction, study: Study) -> Deleted:
    """Move ROUTED/CONFLICT/PURGED → DELETED: drop instances, jobs, results and deliveries.

    The study's row stays with the hashes of whom it named: if it is sent again under another
    patient, its results get other UIDs than those that archives know.

    Raises
    ------
    IllegalTransition
        If anything of it is under way; the message says what, and what to do.
    """
    study = transaction.get_one(Study, study.id, with_for_update=True)
    refuse_what_is_under_way(transaction, study)
    mine = sa.select(Job.id).where(Job.study_id == study.id)
    got = sa.select(sa.func.count()).where(
        Delivery.job_id.in_(mine), Delivery.stored_at.is_not(None)
    )
    delivered = transaction.scalar(got) or 0
    key = StudyId(study.id)
    paths = results.forget_files(transaction, key) + instances.remove(transaction, key)
    transaction.execute(sa.delete(Delivery).where(Delivery.job_id.in_(mine)))
    transaction.execute(sa.delete(Result).where(Result.job_id.in_(mine)))
    priors.forget(transaction, key)
    transaction.execute(sa.delete(Job).where(Job.study_id == study.id))
    kept_predictions.remove(transaction, key)
    brought.forget(transaction, key)
    completeness.forget(transaction, key)
    moved = move(
        transaction,
        Study,
        study.id,
        (StudyState(study.state), StudyState.DELETED),
        note=f"{len(paths)} files removed; {delivered} results stay with peers",
        reason="deleted",
    )
    if not moved:
        raise IllegalTransition(f"study {study.id} changed meanwhile: look again")
    return Deleted(paths, delivered)


def removed_at(session: Session, study_instance_uid: str) -> datetime | None:
    """Return when the files of a study were last removed, by the node or by a person."""
    study_id = session.scalar(
        sa.select(Study.id).where(Study.study_instance_uid == study_instance_uid)
    )
    query = sa.select(sa.func.max(Event.at)).where(
        Event.entity == "study", Event.entity_id == str(study_id), Event.to_state.in_(_REMOVED)
    )
    at: datetime | None = session.scalar(query)
    return at


def refuse_what_is_under_way(session: Session, study: Study) -> None:
    """Refuse to delete a study while anything of it is under way.

    Raises
    ------
    IllegalTransition
        The message says what is under way, and what to do.
    """
    if study.state in _NOT_YET:
        raise IllegalTransition(
            f"study {study.id} is {study.state}: wait until it is ROUTED, or close it with pacs-ai"
            f" studies close {study.id}"
        )
    if study.state == StudyState.DELETED:
        raise IllegalTransition(f"study {study.id} is DELETED already")
    job = session.scalar(
        sa.select(Job).where(Job.study_id == study.id, Job.state.in_(_JOBS)).limit(1)
    )
    if job is not None:
        raise IllegalTransition(
            f"study {study.id}: job {job.id} is {job.state}: wait for its end, or cancel it with"
            f" pacs-ai jobs cancel {job.id}"
        )
    # in CONFLICT nothing else leaves: what waits there would wait for ever
    busy = _LEAVING if study.state == StudyState.CONFLICT else _ON_THE_WAY
    delivery = session.scalar(
        sa.select(Delivery)
        .join(Job, Job.id == Delivery.job_id)
        .where(Job.study_id == study.id, Delivery.state.in_(busy))
        .limit(1)
    )
    if delivery is not None:
        raise IllegalTransition(
            f"study {study.id}: delivery {delivery.id} is {delivery.state}: wait for its end, or"
            f" cancel it with pacs-ai deliveries cancel {delivery.id}"
        )
