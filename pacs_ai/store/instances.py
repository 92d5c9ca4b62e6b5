"""Instances: the rows that stand for files in the spool."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import StudyId
from pacs_ai.store.schema import Instance, Study


@dataclass(frozen=True, slots=True)
class Arrival:
    """One instance that lies safely in the spool and wants its row."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    modality: str
    path: str
    bytes: int
    sha256: str
    unusable_reason: str = ""


def find(session: Session, sop_instance_uid: str) -> Instance | None:
    """Return the row of a SOP instance, if it was received before."""
    return session.scalar(sa.select(Instance).where(Instance.sop_instance_uid == sop_instance_uid))


def insert(session: Session, arrival: Arrival, study: Study, now: datetime) -> None:
    """Add the row of an instance to the revision that its study is in."""
    values = asdict(arrival)
    values.pop("study_instance_uid")
    session.execute(
        sa.insert(Instance).values(
            **values, study_id=study.id, revision=study.revision, received_at=now
        )
    )


def of_revision(session: Session, study_id: StudyId, revision: int) -> Sequence[Instance]:
    """Return the instances that belong to a revision: all that arrived in it or before."""
    query = (
        sa.select(Instance)
        .where(Instance.study_id == study_id, Instance.revision <= revision)
        .order_by(Instance.id)
    )
    return session.scalars(query).all()


def mark_unusable(session: Session, instance_id: int, reason: str) -> None:
    """Note that an instance is kept but cannot be analysed."""
    session.execute(
        sa.update(Instance).where(Instance.id == instance_id).values(unusable_reason=reason)
    )


def replace_file(session: Session, instance_id: int, path: str, size: int) -> None:
    """Let an instance have another file with the same data set, of so many bytes."""
    session.execute(
        sa.update(Instance)
        .where(Instance.id == instance_id)
        .values(path=path, bytes=size, missing=False)
    )


def note_missing(session: Session, paths: Collection[str], *, missing: bool) -> None:
    """Note of instances whether their file is gone."""
    for path in paths:
        session.execute(sa.update(Instance).where(Instance.path == path).values(missing=missing))


def missing_paths(session: Session, prefix: str) -> set[str]:
    """Return the paths below a folder of the spool that a file was missing at."""
    query = sa.select(Instance.path).where(
        Instance.path.startswith(prefix, autoescape=True), Instance.missing.is_(True)
    )
    return set(session.scalars(query))


def remove(session: Session, study_id: StudyId) -> list[str]:
    """Drop all instance rows of a study and return the paths of their files."""
    paths = session.scalars(sa.select(Instance.path).where(Instance.study_id == study_id)).all()
    session.execute(sa.delete(Instance).where(Instance.study_id == study_id))
    return list(paths)


def known_paths(session: Session, prefix: str) -> set[str]:
    """Return all instance paths below a folder of the spool."""
    query = sa.select(Instance.path).where(Instance.path.startswith(prefix, autoescape=True))
    return set(session.scalars(query))
