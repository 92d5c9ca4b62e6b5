"""Instances: the rows that stand for files in the spool."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from pacs_ai.domain import StudyId
from pacs_ai.store.identities import Sender
from pacs_ai.store.indexes import MISSING
from pacs_ai.store.schema import Instance, Repeat, Study, Variant
from pacs_ai.store.session import Transaction

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Arrival:
    """One instance whose file is in the spool and that has no row yet."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    modality: str
    path: str
    bytes: int
    digest: str
    unusable_reason: str = ""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A second file of an instance."""

    transfer_syntax_uid: str
    path: str
    bytes: int
    digest: str


def find(session: Session, sop_instance_uid: str) -> Instance | None:
    """Return the row of a SOP instance, if it was received before."""
    return session.scalar(sa.select(Instance).where(Instance.sop_instance_uid == sop_instance_uid))


def insert(
    transaction: Transaction, arrival: Arrival, study: Study, sender: Sender, identity_id: int
) -> None:
    """Add the row of an instance to the revision that its study is in."""
    values = asdict(arrival)
    values.pop("study_instance_uid")
    transaction.execute(
        sa.insert(Instance).values(
            **values,
            study_id=study.id,
            revision=study.revision,
            identity_id=identity_id,
            calling_aet=sender.calling_aet,
            called_aet=sender.called_aet,
            address=sender.address,
            received_at=transaction.now,
        )
    )


def insert_variant(
    transaction: Transaction, instance: Instance, variant: SetAside, identity_id: int
) -> None:
    """Add the row of a second file of an instance."""
    transaction.add(
        Variant(
            **asdict(variant),
            instance_id=instance.id,
            identity_id=identity_id,
            received_at=transaction.now,
        )
    )
    transaction.flush()


def variant_digests(session: Session, instance: Instance) -> Sequence[str]:
    """Return the digests of the data sets that were set aside for an instance."""
    return session.scalars(
        sa.select(Variant.digest).where(Variant.instance_id == instance.id)
    ).all()


def count_of_study(session: Session, study_instance_uid: str) -> int:
    """Count the instances of a study that are here."""
    query = (
        sa.select(sa.func.count())
        .select_from(Instance)
        .join(Study, Study.id == Instance.study_id)
        .where(Study.study_instance_uid == study_instance_uid)
    )
    return session.scalar(query) or 0


def of_revision(session: Session, study_id: StudyId, revision: int) -> Sequence[Instance]:
    """Return the instances that belong to a revision: all that arrived in it or before."""
    query = (
        sa.select(Instance)
        .where(Instance.study_id == study_id, Instance.revision <= revision)
        .order_by(Instance.id)
    )
    return session.scalars(query).all()


def after(session: Session, study_id: StudyId, last: int) -> Sequence[Instance]:
    """Return the instances of a study whose rows came after the one with this id."""
    query = sa.select(Instance).where(Instance.study_id == study_id, Instance.id > last)
    return session.scalars(query.order_by(Instance.id)).all()


def mark_unusable(transaction: Transaction, instance_id: int, reason: str) -> None:
    """Note that an instance is kept but cannot be analysed."""
    transaction.execute(
        sa.update(Instance).where(Instance.id == instance_id).values(unusable_reason=reason)
    )


def replace_file(transaction: Transaction, instance_id: int, path: str, size: int) -> None:
    """Give an instance another file with the same data set; ``size`` is in bytes."""
    transaction.execute(
        sa.update(Instance)
        .where(Instance.id == instance_id)
        .values(path=path, bytes=size, missing=False)
    )


def note_missing(transaction: Transaction, paths: Collection[str], *, missing: bool) -> None:
    """Record for instances whether their file is missing."""
    for path in paths:
        transaction.execute(
            sa.update(Instance)
            .where(Instance.path == path, Instance.missing.is_(not missing))
            .values(missing=missing)
        )


def missing_paths(session: Session, last_path: str, most: int) -> Sequence[str]:
    """Return paths after one whose files were missing when their node looked, in order.

    Parameters
    ----------
    last_path
        The last one that is known; "" for none.
    most
        How many at most.
    """
    query = sa.select(Instance.path).where(MISSING, Instance.path > last_path)
    return session.scalars(query.order_by(Instance.path).limit(most)).all()


def remove(transaction: Transaction, study_id: StudyId) -> list[str]:
    """Drop all instance rows of a study and return the paths of their files, variants' too."""
    mine = sa.select(Instance.id).where(Instance.study_id == study_id)
    paths = [
        *transaction.scalars(sa.select(Instance.path).where(Instance.study_id == study_id)),
        *transaction.scalars(sa.select(Variant.path).where(Variant.instance_id.in_(mine))),
    ]
    transaction.execute(sa.delete(Variant).where(Variant.instance_id.in_(mine)))
    transaction.execute(sa.delete(Repeat).where(Repeat.instance_id.in_(mine)))
    transaction.execute(sa.delete(Instance).where(Instance.study_id == study_id))
    return paths


def known_of(session: Session, paths: Sequence[str]) -> set[str]:
    """Return those of some paths that an instance or a variant has."""
    known: set[str] = set()
    for begin in range(0, len(paths), _AT_ONCE):
        some = paths[begin : begin + _AT_ONCE]
        for table in (Instance, Variant):
            known.update(session.scalars(sa.select(table.path).where(table.path.in_(some))))
    return known


def paths(session: Session, folder: str, last_path: str, most: int) -> Sequence[str]:
    """Return paths of instances below a folder of the spool, in the order of the database.

    Parameters
    ----------
    folder
        With the slash at its end; "" for the whole spool.
    last_path
        The last one that is known; ``folder`` for none.
    most
        How many at most.
    """
    return session.scalars(_in_order(Instance.path, folder, last_path).limit(most)).all()


def variant_paths(session: Session, folder: str, last_path: str, most: int) -> Sequence[str]:
    """Return paths of variants in the same way."""
    return session.scalars(_in_order(Variant.path, folder, last_path).limit(most)).all()


def _in_order(path: InstrumentedAttribute[str], folder: str, last_path: str) -> sa.Select[str]:
    below = path.startswith(folder, autoescape=True)
    return sa.select(path).where(path > last_path, below).order_by(path)
