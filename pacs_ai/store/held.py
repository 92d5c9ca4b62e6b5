"""The DICOM objects whose files the node holds: what it has received, and what it has made."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.store.schema import Instance, Job, Result, Study


@dataclass(frozen=True, slots=True)
class Held:
    """One object, its UIDs, its path in the spool, the row id of its study, and its modality.

    The modality of a result is "": its SOP class says it.
    """

    study: str
    series: str
    instance: str
    sop_class: str
    path: str
    study_id: int
    modality: str


_RECEIVED = (
    sa.select(
        Study.study_instance_uid,
        Instance.series_instance_uid,
        Instance.sop_instance_uid,
        Instance.sop_class_uid,
        Instance.path,
        Study.id,
        Instance.modality,
    )
    .join(Study, Study.id == Instance.study_id)
    .where(Instance.missing.is_(False))
    .order_by(Instance.id)
)
_MADE = (
    sa.select(
        Study.study_instance_uid,
        Result.series_instance_uid,
        Result.sop_instance_uid,
        Result.sop_class_uid,
        Result.path,
        Study.id,
        sa.literal(""),
    )
    .join(Job, Job.id == Result.job_id)
    .join(Study, Study.id == Job.study_id)
    .where(
        Result.path != "",
        Result.sop_class_uid != "",
        Job.correction == Study.correction,
        Result.withdrawal_id.is_(None),
    )
    .order_by(Result.id)
)


def find_held(
    session: Session, study: str = "", series: str = "", instance: str = ""
) -> list[Held]:
    """Return the objects with these UIDs, in order of arrival; "" stands for any.

    Results come last; those that do not hold any more are left out.
    """
    found: list[Held] = []
    for query, kind in ((_RECEIVED, Instance), (_MADE, Result)):
        conditions = [
            column == uid
            for column, uid in (
                (Study.study_instance_uid, study),
                (kind.series_instance_uid, series),
                (kind.sop_instance_uid, instance),
            )
            if uid
        ]
        found += [Held(*row) for row in session.execute(query.where(*conditions))]
    return found


@dataclass(frozen=True, slots=True)
class StudyKeys:
    """By what studies are chosen; "" and () stand for any. Keys are keyed hashes."""

    uids: Sequence[str] = ()
    patient_key: str = ""
    accession_key: str = ""


def held_studies(session: Session, wanted: StudyKeys, limit: int) -> Sequence[str]:
    """Return the UIDs of studies of which the node holds instances, the newest first."""
    query = sa.select(Study.study_instance_uid).where(
        sa.exists().where(Instance.study_id == Study.id, Instance.missing.is_(False))
    )
    if wanted.uids:
        query = query.where(Study.study_instance_uid.in_(wanted.uids))
    if wanted.patient_key:
        query = query.where(Study.patient_key == wanted.patient_key)
    if wanted.accession_key:
        query = query.where(Study.accession_key == wanted.accession_key)
    order = query.order_by(Study.first_received_at.desc(), Study.id.desc())
    return session.scalars(order.limit(limit)).all()
