"""The columns that hold keyed hashes, and how these are computed again."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.store.identities import Sender
from pacs_ai.store.schema import Identity, Instance, Study, Variant
from pacs_ai.store.session import Transaction

KEYED = frozenset(
    {
        "study.patient_key",
        "study.accession_key",
        "identity.digest",
        "identity.fields",
        "identity.patient_key",
        "identity.accession_key",
        "examination.body_part_key",
    }
)
"""All of them: who adds one has to say in `renew` how it is made again."""

_LOST = "lost"
"""Begins the digest of an identity that cannot be computed again; it must differ in each row."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What has keyed hashes: one identity of a study, or a study that has none.

    ``paths`` are the files that say it again, those that count before those set aside.
    """

    study_id: int
    identity_id: int | None
    paths: tuple[str, ...]


def subjects(session: Session) -> list[Subject]:
    """Return all that has keyed hashes, with the files that say it again."""
    found = []
    for study_id in session.scalars(sa.select(Study.id).order_by(Study.id)):
        rows = session.scalars(
            sa.select(Identity.id).where(Identity.study_id == study_id).order_by(Identity.id)
        ).all()
        found += [Subject(study_id, row, _paths(session, study_id, row)) for row in rows]
        if not rows:
            query = sa.select(Instance.path).where(Instance.study_id == study_id)
            paths = session.scalars(query.order_by(Instance.id)).all()
            found.append(Subject(study_id, None, tuple(paths)))
    return found


def _paths(session: Session, study_id: int, identity_id: int) -> tuple[str, ...]:
    """Return the files of an identity; by the study, as no index has the identities of files."""
    own = sa.select(Instance.path).where(
        Instance.study_id == study_id, Instance.identity_id == identity_id
    )
    aside = (
        sa.select(Variant.path)
        .join(Instance, Instance.id == Variant.instance_id)
        .where(Instance.study_id == study_id, Variant.identity_id == identity_id)
    )
    files = [*session.scalars(own.order_by(Instance.id))]
    return (*files, *session.scalars(aside.order_by(Variant.id)))


def renew(transaction: Transaction, subject: Subject, stated: Sender | None) -> None:
    """Write the hashes of a subject again; None if no file with the values is left.

    A lost identity knows no field, so that it contradicts nothing that comes later.
    """
    study = transaction.get_one(Study, subject.study_id)
    if subject.identity_id is None:
        study.patient_key = stated.patient_key if stated else ""
        study.accession_key = stated.accession_key if stated else ""
        return
    row = transaction.get_one(Identity, subject.identity_id)
    digest = stated.identity.digest if stated else ""
    known = sa.select(Identity.id).where(Identity.study_id == study.id, Identity.digest == digest)
    # a row of an older version may say what another one says as well
    fresh = digest and transaction.scalar(known) is None
    row.digest = digest if fresh else f"{_LOST} {row.id}"
    row.fields = dict(stated.identity.fields) if stated else {}
    row.patient_key = stated.patient_key if stated else ""
    row.accession_key = stated.accession_key if stated else ""
    first = sa.select(sa.func.min(Identity.id)).where(
        Identity.study_id == study.id, Identity.patient_number == study.patient_number
    )
    if transaction.scalar(first) == row.id:
        study.patient_key, study.accession_key = row.patient_key, row.accession_key
