"""Structured reports that have come in, and what of them was read for feedback.

``Instance.feedback`` is "" until a report is read: the row of the instance itself asks for it, from
the transaction on with which it was received.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import StudyState
from pacs_ai.store.indexes import TO_READ
from pacs_ai.store.schema import Identity, Instance, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import record


class Reading(StrEnum):
    """What came of reading a structured report for feedback."""

    NONE = "none"
    ENTERED = "entered"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Document:
    """A structured report to be read.

    ``foreign`` says that it names another patient than its study has.
    """

    instance_id: int
    study_id: int
    study_instance_uid: str
    sop_instance_uid: str
    path: str
    unusable_reason: str
    calling_aet: str
    foreign: bool


def to_read(session: Session, but: Collection[int], limit: int) -> list[Document]:
    """Return the oldest reports that nobody has read.

    Those of a study in CONFLICT wait: it is not known whose they are.

    Parameters
    ----------
    but
        Row ids of instances to leave out.
    """
    foreign = sa.func.coalesce(Identity.patient_number != Study.patient_number, sa.false())
    query = (
        sa.select(
            Instance.id,
            Study.id,
            Study.study_instance_uid,
            Instance.sop_instance_uid,
            Instance.path,
            Instance.unusable_reason,
            Instance.calling_aet,
            foreign,
        )
        .join(Study, Study.id == Instance.study_id)
        .join(Identity, Identity.id == Instance.identity_id, isouter=True)
        .where(
            Instance.id.in_(sa.select(Instance.id).where(TO_READ)),
            Study.state != StudyState.CONFLICT,
            Instance.id.not_in(but),
        )
        .order_by(Instance.id)
        .limit(limit)
    )
    return [Document(*row) for row in session.execute(query)]


def studies_to_read() -> sa.Select[int]:
    """Select the studies with a report that nobody has read: its file is still needed."""
    return sa.select(Instance.study_id).where(TO_READ)


def mark(transaction: Transaction, document: Document, reading: Reading, reason: str = "") -> bool:
    """Note that a report was read; False if somebody else has read it meanwhile.

    Parameters
    ----------
    reason
        Why it was refused: the ledger gets a line of it.
    """
    marked = transaction.execute(
        sa.update(Instance)
        .where(Instance.id == document.instance_id, Instance.feedback == "")
        .values(feedback=reading)
        .returning(Instance.id)
    )
    if marked.first() is None:
        return False
    if reading is Reading.REFUSED:
        note = f"structured report {document.sop_instance_uid}: {reason}"
        record(transaction, "document", document.study_id, "", "REFUSED", note=note)
    return True
