"""The row of an instance that arrives, in as few statements as can be: a sender waits for it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pacs_ai.domain import StudyId, StudyState
from pacs_ai.store import instances, studies
from pacs_ai.store.instances import Arrival
from pacs_ai.store.schema import Instance, Study

# Statements are made once: to build one takes longer than to execute it.
_OF_ARRIVAL = [field.name for field in fields(Arrival) if field.name != "study_instance_uid"]
_COLUMNS = ("study_id", "revision", "received_at", *_OF_ARRIVAL)
_OPEN = (
    Study.study_instance_uid == sa.bindparam("study_uid"),
    Study.state == StudyState.RECEIVING,
    Study.patient_key == sa.bindparam("patient"),
)
_ROW = sa.select(
    Study.id,
    Study.revision,
    sa.bindparam("now", type_=Instance.received_at.type),
    *(sa.bindparam(name, type_=getattr(Instance, name).type) for name in _OF_ARRIVAL),
).where(*_OPEN)
_INSERT: Mapping[str, Any] = {
    dialect.__name__.rpartition(".")[2]: dialect.insert(Instance)
    .from_select(_COLUMNS, _ROW, include_defaults=False)
    .on_conflict_do_nothing(index_elements=[Instance.sop_instance_uid])
    .returning(Instance.study_id, Instance.revision)
    for dialect in (sqlite, postgresql)
}
_NOTE_ACTIVITY = (
    sa.update(Study)
    .where(Study.id == sa.bindparam("study_id"))
    .values(
        last_received_at=sa.bindparam("now"),
        node=sa.bindparam("from_node"),
        calling_aet=sa.bindparam("calling"),
        called_aet=sa.bindparam("called"),
        modality=sa.bindparam("modality_now"),
    )
)


@dataclass(frozen=True, slots=True)
class Placed:
    """The revision that an instance now belongs to, and the state of its study."""

    study_id: StudyId
    revision: int
    state: StudyState


def place(
    session: Session, arrival: Arrival, sender: studies.Sender, now: datetime
) -> Placed | None:
    """Give an instance its row, and its study the state that follows from it.

    Nearly every instance is a new one of a study that is being received from the same patient:
    two statements say so. All else is `studies.add_instance`.

    Returns
    -------
    Placed or None
        None if the SOP Instance UID has a row already.
    """
    if not arrival.unusable_reason:
        placed = _continue(session, arrival, sender, now)
        if placed is not None:
            return placed
    if instances.find(session, arrival.sop_instance_uid) is not None:
        return None
    study = studies.add_instance(session, arrival, sender, now)
    return Placed(StudyId(study.id), study.revision, StudyState(study.state))


def _continue(
    session: Session, arrival: Arrival, sender: studies.Sender, now: datetime
) -> Placed | None:
    """Do the usual case; None, and nothing done, where it is another."""
    connection = session.connection()
    values = {name: getattr(arrival, name) for name in _OF_ARRIVAL}
    values |= {
        "study_uid": arrival.study_instance_uid,
        "patient": sender.patient_key,
        "now": now,
    }
    row = connection.execute(_INSERT[connection.dialect.name], values).first()
    if row is None:
        return None
    activity = {
        "study_id": row.study_id,
        "now": now,
        "from_node": sender.node,
        "calling": sender.calling_aet,
        "called": sender.called_aet,
        "modality_now": arrival.modality,
    }
    connection.execute(_NOTE_ACTIVITY, activity)
    return Placed(StudyId(row.study_id), row.revision, StudyState.RECEIVING)
