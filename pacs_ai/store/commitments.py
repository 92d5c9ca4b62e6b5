"""Storage commitment of deliveries (PS3.4 Annex J): STORED, COMMITTING, COMMITTED and back."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryState, JobId
from pacs_ai.store.schema import Delivery, Job, Result, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import move
from pacs_ai.withdrawal_kinds import Notice

MAX_ROUNDS = 3
"""How often a result that the archive could not commit is sent again."""

UNANSWERED = "NO_REPORT"
"""Error code of a delivery whose archive is asked a second time."""

_HOLDS = sa.and_(Result.withdrawal_id.is_(None), Result.kind != Notice.NOTE)
"""What archives are asked about: not what they are to hide, nor the note that says so."""

_BACK = (DeliveryState.COMMITTING, DeliveryState.STORED)


def stored(session: Session, job_id: JobId, destination: str) -> Sequence[tuple[Delivery, Result]]:
    """Return the results of a job that a peer has stored and was not asked about yet."""
    query = (
        sa.select(Delivery, Result)
        .join(Result, Result.id == Delivery.result_id)
        .where(
            Delivery.job_id == job_id,
            Delivery.destination == destination,
            Delivery.state == DeliveryState.STORED,
            Delivery.asked_at.is_(None),
            _HOLDS,
        )
    )
    return [(delivery, result) for delivery, result in session.execute(query).all()]


def study_of(session: Session, job_id: JobId) -> str:
    """Return the Study Instance UID of a job."""
    query = sa.select(Study.study_instance_uid).join(Job, Job.study_id == Study.id)
    return session.scalars(query.where(Job.id == job_id)).one()


def uncommitted(session: Session, job_id: JobId) -> dict[str, list[tuple[Delivery, Result]]]:
    """Return the results of a job that peers have stored but not committed, by destination."""
    query = (
        sa.select(Delivery, Result)
        .join(Result, Result.id == Delivery.result_id)
        .where(
            Delivery.job_id == job_id,
            Delivery.state.in_((DeliveryState.STORED, DeliveryState.COMMITTING)),
            _HOLDS,
        )
        .order_by(Delivery.id)
    )
    found: dict[str, list[tuple[Delivery, Result]]] = {}
    for delivery, result in session.execute(query):
        found.setdefault(delivery.destination, []).append((delivery, result))
    return found


def ask(transaction: Transaction, delivery: Delivery, transaction_uid: str) -> bool:
    """Move STORED/COMMITTING → COMMITTING, under a new Transaction UID."""
    return move(
        transaction,
        Delivery,
        delivery.id,
        (DeliveryState(delivery.state), DeliveryState.COMMITTING),
        transaction_uid=transaction_uid,
        asked_at=transaction.now,
        lease_owner=transaction.actor,
    )


def confirmed(transaction: Transaction, delivery: Delivery) -> bool:
    """Move COMMITTING → COMMITTED: the archive has taken responsibility."""
    arrow = (DeliveryState.COMMITTING, DeliveryState.COMMITTED)
    return move(transaction, Delivery, delivery.id, arrow, committed_at=transaction.now)


def refused(transaction: Transaction, delivery: Delivery, reason: int) -> DeliveryState:
    """Move COMMITTING → PENDING to send it again, or FAILED after `MAX_ROUNDS`.

    Parameters
    ----------
    reason
        Failure Reason (0008,1197) of the archive.
    """
    text = f"the archive did not commit it (reason 0x{reason:04X})"
    rounds = delivery.commit_rounds + 1
    target = DeliveryState.FAILED if rounds > MAX_ROUNDS else DeliveryState.PENDING
    move(
        transaction,
        Delivery,
        delivery.id,
        (DeliveryState.COMMITTING, target),
        note=text,
        commit_rounds=rounds,
        asked_at=None,
        transaction_uid=None,
        error_code="NOT_COMMITTED",
        error_text=text,
    )
    return target


def give_up(transaction: Transaction, delivery: Delivery, text: str) -> bool:
    """Move COMMITTING → STORED: it is delivered, and no report will come."""
    code = "NOT_COMMITTED"
    return move(
        transaction, Delivery, delivery.id, _BACK, note=text, error_code=code, error_text=text
    )


def ask_later(transaction: Transaction, delivery: Delivery) -> bool:
    """Move COMMITTING → STORED: the request failed and will be sent again."""
    return _to_be_asked(transaction, delivery, "could not be asked", "")


def ask_again(transaction: Transaction, delivery: Delivery) -> bool:
    """Move COMMITTING → STORED: no report came, and the archive is asked a second time."""
    return _to_be_asked(transaction, delivery, "no report", UNANSWERED)


def _to_be_asked(transaction: Transaction, delivery: Delivery, note: str, error_code: str) -> bool:
    return move(
        transaction,
        Delivery,
        delivery.id,
        _BACK,
        note=note,
        asked_at=None,
        transaction_uid=None,
        lease_owner=None,
        error_code=error_code,
    )


def asked_by(session: Session, node: str) -> Sequence[Delivery]:
    """Return the deliveries for which this node has sent a request, or was about to."""
    query = sa.select(Delivery).where(
        Delivery.state == DeliveryState.COMMITTING,
        Delivery.lease_owner.startswith(f"{node}/", autoescape=True),
    )
    return session.scalars(query).all()


def unanswered(session: Session, before: datetime) -> Sequence[Delivery]:
    """Return the deliveries whose request is older than a time and has no report."""
    query = sa.select(Delivery).where(
        Delivery.state == DeliveryState.COMMITTING, Delivery.asked_at < before
    )
    return session.scalars(query).all()


def count_anew(transaction: Transaction) -> None:
    """Date requests of the future to now: the clock was set back after they were sent."""
    transaction.execute(
        sa.update(Delivery)
        .where(Delivery.state == DeliveryState.COMMITTING, Delivery.asked_at > transaction.now)
        .values(asked_at=transaction.now)
    )


def to_ask(session: Session, destinations: Sequence[str]) -> list[tuple[JobId, str]]:
    """Return the STORED deliveries without a request, as pairs of job and destination."""
    query = (
        sa.select(Delivery.job_id, Delivery.destination)
        .join(Result, Result.id == Delivery.result_id)
        .where(
            Delivery.state == DeliveryState.STORED,
            Delivery.asked_at.is_(None),
            Delivery.destination.in_(destinations),
            _HOLDS,
        )
        .distinct()
    )
    return [(JobId(job_id), destination) for job_id, destination in session.execute(query)]


def asked(session: Session, transaction_uid: str) -> Sequence[tuple[Delivery, Result]]:
    """Return the deliveries of a commitment transaction, in any state."""
    query = (
        sa.select(Delivery, Result)
        .join(Result, Result.id == Delivery.result_id)
        .where(Delivery.transaction_uid == transaction_uid)
    )
    return [(delivery, result) for delivery, result in session.execute(query).all()]
