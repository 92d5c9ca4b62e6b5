"""What destinations have got that does not hold any more, and the notices that tell them so."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from pacs_ai.domain import DOCUMENTS, DeliveryState, JobId, StudyState
from pacs_ai.store import results
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Delivery, Job, Result, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import record
from pacs_ai.store.withholding import VOID, void_results
from pacs_ai.withdrawal_kinds import Notice

DELIVERED = (DeliveryState.STORED, DeliveryState.COMMITTING, DeliveryState.COMMITTED)


_TELL_ALONE = (Notice.NOTE, Notice.HL7, Notice.FHIR)
"""Notices that are never withdrawn themselves: without what they are about they say nothing."""


def _owed(
    destinations: Collection[str], void: sa.ColumnElement[bool] = VOID
) -> sa.Select[Delivery, Result]:
    """Select what peers have got that does not hold any more, and were told nothing of.

    Also what a peer may have got, as its answer was lost. A notice that did not arrive before the
    next correction of the patient tells nothing. A document whose file is removed can be withdrawn
    from the evidence of its study; that there is any is made sure when a person withdraws it.
    """
    note, sent = aliased(Result), aliased(Delivery)
    told = sa.exists().where(
        note.id == Delivery.withdrawn_by,
        sa.or_(
            note.correction == Study.correction,
            sa.exists().where(sent.result_id == note.id, sent.state.in_(DELIVERED)),
        ),
    )
    return (
        sa.select(Delivery, Result)
        .join(Result, Result.id == Delivery.result_id)
        .join(Job, Job.id == Delivery.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(
            sa.or_(
                Delivery.state.in_(DELIVERED),
                sa.and_(Delivery.state == DeliveryState.CANCELLED, Delivery.may_be_held.is_(True)),
            ),
            Delivery.destination.in_(destinations),
            void,
            Result.kind.not_in(_TELL_ALONE),
            sa.or_(
                Result.kind.not_in(DOCUMENTS),
                Result.path != "",
                sa.and_(Study.state == StudyState.PURGED, Result.withdrawal_id.is_not(None)),
            ),
            ~told,
        )
        .order_by(Delivery.id)
    )


def studies_that_owe(session: Session, destinations: Collection[str]) -> list[str]:
    """Return the row ids of the studies of which some destination has to be told."""
    owed_of = _owed(destinations, Result.id.in_(void_results()))
    query = owed_of.with_only_columns(Job.study_id).order_by(None).distinct()
    return [str(study_id) for study_id in session.scalars(query)]


def owed(
    session: Session, study: Study, destinations: Collection[str]
) -> dict[str, list[tuple[Delivery, Result]]]:
    """Return what each destination has to be told of."""
    query = _owed(destinations).where(Job.study_id == study.id)
    found: dict[str, list[tuple[Delivery, Result]]] = {}
    for delivery, result in session.execute(query):
        found.setdefault(delivery.destination, []).append((delivery, result))
    return found


def named_by(session: Session, notice_uid: str) -> list[tuple[str, str, str]]:
    """Return study, series and instance UID of each DICOM object that a notice withdraws."""
    notice = aliased(Result)
    query = (
        sa.select(Study.study_instance_uid, Result.series_instance_uid, Result.sop_instance_uid)
        .join(Job, Job.id == Result.job_id)
        .join(Study, Study.id == Job.study_id)
        .join(Delivery, Delivery.result_id == Result.id)
        .join(notice, notice.id == Delivery.withdrawn_by)
        .where(notice.sop_instance_uid == notice_uid, Result.sop_class_uid != "")
        .order_by(Result.id)
    )
    return [(study, series, instance) for study, series, instance in session.execute(query)]


def enter(
    transaction: Transaction,
    study: Study,
    destination: str,
    made: StoredResult,
    withdrawn: Sequence[Delivery],
) -> JobId:
    """Enter a notice and its delivery; returns the job that it is sent for.

    It names the patient who is right now, so it leaves where its predecessors may not.
    """
    job_id = JobId(withdrawn[-1].job_id)
    count = sa.select(sa.func.count()).where(Result.job_id == job_id, Result.kind == made.kind)
    number = 1 + (transaction.scalar(count) or 0)
    note = results.insert(transaction, job_id, study.correction, replace(made, number=number))
    delivery = Delivery(
        result_id=note.id,
        job_id=job_id,
        destination=destination,
        state=DeliveryState.PENDING,
        created_at=transaction.now,
    )
    transaction.add(delivery)
    for one in withdrawn:
        transaction.get_one(Delivery, one.id).withdrawn_by = note.id
    transaction.flush()
    text = f"withdraws {len(withdrawn)} result{'s' * (len(withdrawn) != 1)}"
    record(transaction, "delivery", delivery.id, "", delivery.state, note=text)
    return JobId(job_id)
