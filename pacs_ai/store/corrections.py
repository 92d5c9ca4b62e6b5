"""How a person ends a CONFLICT: the right patient, and the files that count from then on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import JobState, StudyId, StudyState
from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.store import identities, studies, withholding
from pacs_ai.store.schema import Identity, Instance, Study, Variant
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import record

FIRST, CORRECTED = "first", "corrected"


@dataclass(frozen=True, slots=True)
class Choice:
    """One patient that a study may be of, without values that identify anybody.

    Parameters
    ----------
    number
        In the order of arrival, from 1.
    name
        ``first`` for number 1, ``corrected`` for the last one, else "".
    in_use
        Whether results name this one now.
    files
        Number of instances that have a file which names this one.
    senders
        AE titles that were the first to name it.
    differs
        Fields in which it contradicts the one in use.
    """

    number: int
    name: str
    in_use: bool
    files: int
    senders: tuple[str, ...]
    first_received_at: datetime
    differs: tuple[str, ...]


def choices(session: Session, study: Study) -> list[Choice]:
    """Return the patients that the instances of a study name, in the order of arrival."""
    rows = identities.of_study(session, study.id)
    numbers = sorted({row.patient_number for row in rows})
    known = identities.merged(rows, study.patient_number)
    return [
        Choice(
            number=number,
            name=_name(number, numbers),
            in_use=number == study.patient_number,
            files=_files(session, study.id, number),
            senders=tuple(
                dict.fromkeys(row.calling_aet for row in rows if row.patient_number == number)
            ),
            first_received_at=min(
                row.first_received_at for row in rows if row.patient_number == number
            ),
            differs=identities.differing(known, identities.merged(rows, number)),
        )
        for number in numbers
    ]


def _name(number: int, numbers: Sequence[int]) -> str:
    if number == numbers[0]:
        return FIRST
    return CORRECTED if number == numbers[-1] else ""


def _files(session: Session, study_id: int, number: int) -> int:
    current = (
        sa.select(Instance.id)
        .join(Identity, Identity.id == Instance.identity_id)
        .where(Instance.study_id == study_id, Identity.patient_number == number)
    )
    aside = (
        sa.select(Variant.instance_id)
        .join(Identity, Identity.id == Variant.identity_id)
        .join(Instance, Instance.id == Variant.instance_id)
        .where(Instance.study_id == study_id, Identity.patient_number == number)
    )
    together = sa.union(current, aside).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(together)) or 0


def keep(transaction: Transaction, study: Study, number: int) -> int:
    """Move CONFLICT → RECEIVING with the next revision, under the patient that a person chose.

    Files that name this patient take the place of those that name another, as far as there are
    any. Where it is not the one in use, what was made under that one is void from now on.

    Returns
    -------
    int
        The revision.

    Raises
    ------
    IllegalTransition
        If the study is not in CONFLICT.
    StateError
        If no file names this patient: nothing could be made of it.
    """
    if study.state != StudyState.CONFLICT:
        raise IllegalTransition(f"study {study.id} is {study.state}, not CONFLICT")
    if not _files(transaction, study.id, number):
        raise StateError(
            f"study {study.id}: no stored file names patient {number}; have it sent again, or"
            " delete the study"
        )
    study = transaction.get_one(Study, study.id, with_for_update=True)
    rows = identities.of_study(transaction, study.id)
    identities.adopt(transaction, study, next(row for row in rows if row.patient_number == number))
    _exchange_files(transaction, study, number)
    note = f"patient {number} of {len({row.patient_number for row in rows})} is right"
    record(transaction, "study", study.id, study.state, study.state, note=note)
    withholding.cancel_void(transaction)
    withholding.void_jobs(
        transaction, StudyId(study.id), "the patient was corrected", states=(JobState.FAILED,)
    )
    return studies.reopen(transaction, study, note="resolve")


def _exchange_files(transaction: Transaction, study: Study, number: int) -> None:
    """Give each instance the newest of its files that names a patient."""
    right = sa.select(Identity.id).where(
        Identity.study_id == study.id, Identity.patient_number == number
    )
    query = (
        sa.select(Variant, Instance)
        .join(Instance, Instance.id == Variant.instance_id)
        .where(
            Instance.study_id == study.id,
            Variant.identity_id.in_(right),
            Instance.identity_id.not_in(right),
        )
        .order_by(Variant.id.desc())
    )
    done: set[int] = set()
    for variant, instance in transaction.execute(query).all():
        if instance.id not in done:
            done.add(instance.id)
            _exchange(variant, instance)
    transaction.flush()


def _exchange(variant: Variant, instance: Instance) -> None:
    for name in ("identity_id", "transfer_syntax_uid", "path", "bytes", "digest"):
        mine, other = getattr(instance, name), getattr(variant, name)
        setattr(instance, name, other)
        setattr(variant, name, mine)
    instance.missing = False
