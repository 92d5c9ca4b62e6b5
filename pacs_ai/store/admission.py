"""What an instance that arrives does to its study: it begins, goes on, opens again, or is held."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import StudyId, StudyState
from pacs_ai.store import identities, instances, repeats, withholding
from pacs_ai.store.identities import Sender
from pacs_ai.store.schema import Identity, Instance, Study
from pacs_ai.store.transition import move, record

_OPEN_AGAIN = (StudyState.COMPLETE, StudyState.ROUTED, StudyState.PURGED, StudyState.DELETED)


@dataclass(frozen=True, slots=True)
class InsertedInstance:
    """The revision that an instance belongs to, and the state of its study.

    ``alarm`` says why the study is held, where this instance names another patient.
    """

    study_id: StudyId
    revision: int
    state: StudyState
    alarm: str = ""


def add_instance(
    session: Session, arrival: instances.Arrival, sender: Sender, now: datetime
) -> Study:
    """Give an instance its row, and its study the state that follows from it.

    Parameters
    ----------
    arrival
        One with an `unusable_reason` is no cause to analyse anything: it opens no revision.

    Returns
    -------
    Study
        The row as it is now; CONFLICT if the patient is another than the study's.
    """
    return _add(session, arrival, sender, now)[0]


def place(
    session: Session, arrival: instances.Arrival, sender: Sender, now: datetime
) -> InsertedInstance:
    """Do the same; returns what the flow has to know of it."""
    study, alarm = _add(session, arrival, sender, now)
    session.flush()
    return _placed(study, alarm)


def _add(
    session: Session, arrival: instances.Arrival, sender: Sender, now: datetime
) -> tuple[Study, str]:
    study = session.scalar(
        sa.select(Study)
        .where(Study.study_instance_uid == arrival.study_instance_uid)
        .with_for_update()
    )
    alarm = ""
    if study is None:
        study = _begin(session, arrival, sender, now)
        identity = identities.begin(session, study, sender, now)
    else:
        identity = identities.recognise(session, study, sender, now)
        passive = bool(arrival.unusable_reason)
        if study.state == StudyState.DELETED:
            _begin_again(session, study, identity, now)
            _continue(session, study, sender, now, modality=arrival.modality)
        elif identity.patient_number != study.patient_number:
            alarm = hold(session, study, identity, sender, now, known=passive)
        elif not passive:
            _continue(session, study, sender, now, modality=arrival.modality)
    instances.insert(session, arrival, study, sender, identity.id, now)
    return study, alarm


def _begin(session: Session, arrival: instances.Arrival, sender: Sender, now: datetime) -> Study:
    study = Study(
        study_instance_uid=arrival.study_instance_uid,
        patient_key=sender.patient_key,
        accession_key=sender.accession_key,
        revision=1,
        state=StudyState.RECEIVING,
        patient_number=1,
        node=sender.node,
        calling_aet=sender.calling_aet,
        called_aet=sender.called_aet,
        modality=arrival.modality,
        first_received_at=now,
        last_received_at=now,
        reason="",
    )
    session.add(study)
    session.flush()
    record(session, "study", study.id, "", StudyState.RECEIVING, now=now, actor=sender.calling_aet)
    return study


def _begin_again(session: Session, study: Study, identity: Identity, now: datetime) -> None:
    """Take a study that was deleted for whom it is sent: another patient than then is no conflict.

    The results of then may lie in an archive: under another patient they need other UIDs.
    """
    if identity.patient_number != study.patient_number:
        identities.adopt(session, study, identity)
    study.first_received_at = now


def hold(
    session: Session,
    study: Study,
    identity: Identity,
    sender: Sender,
    now: datetime,
    *,
    known: bool = False,
) -> str:
    """Move any state → CONFLICT: whose study this is, a person must say; jobs are cancelled.

    Parameters
    ----------
    known
        The instance brings nothing to analyse: an identity that a person has already decided
        against is no new conflict then.

    Returns
    -------
    str
        What the alarm says; empty where there is none.
    """
    if known and identity.superseded:
        return ""
    fields = ", ".join(identities.against(session, study, identity))
    reason = f"instances of two patients came under this Study Instance UID (different: {fields})"
    if study.state == StudyState.CONFLICT:
        return reason
    move(
        session,
        Study,
        study.id,
        (StudyState(study.state), StudyState.CONFLICT),
        now=now,
        actor=sender.calling_aet,
        note=reason,
        reason=reason,
        last_received_at=now,
    )
    withholding.void_jobs(session, StudyId(study.id), "its study is in CONFLICT", now=now)
    session.refresh(study)
    return reason


def repeat(
    session: Session, instance: Instance, sender: Sender, *, opens: bool, now: datetime
) -> InsertedInstance | None:
    """Note that an instance came again by another way.

    Parameters
    ----------
    opens
        Some rule asks for what comes by this way, and for none that the instance came before.

    Returns
    -------
    InsertedInstance or None
        Where the study is received on, because of it.
    """
    study = session.get_one(Study, instance.study_id, with_for_update=True)
    if not repeats.note(session, instance, sender, now):
        return None
    if not opens or study.state == StudyState.CONFLICT:
        return None
    _continue(session, study, sender, now, modality=study.modality)
    return _placed(study, "")


def set_aside(
    session: Session,
    instance: Instance,
    variant: instances.SetAside,
    sender: Sender,
    now: datetime,
) -> InsertedInstance:
    """Note a variant of an instance, and hold the study if it names another patient."""
    study = session.get_one(Study, instance.study_id, with_for_update=True)
    identity = identities.recognise(session, study, sender, now)
    instances.insert_variant(session, instance, variant, identity.id, now)
    return _judge(session, study, identity, sender, now)


def refused(
    session: Session, instance: Instance, sender: Sender, now: datetime
) -> InsertedInstance:
    """Hold the study if what was refused named another patient: it may be a correction."""
    study = session.get_one(Study, instance.study_id, with_for_update=True)
    identity = identities.recognise(session, study, sender, now)
    return _judge(session, study, identity, sender, now)


def _judge(
    session: Session, study: Study, identity: Identity, sender: Sender, now: datetime
) -> InsertedInstance:
    alarm = ""
    if identity.patient_number != study.patient_number:
        alarm = hold(session, study, identity, sender, now, known=True)
    return _placed(study, alarm)


def _continue(session: Session, study: Study, sender: Sender, now: datetime, modality: str) -> None:
    """Note the activity, and open the next revision where the study was closed already."""
    activity: dict[str, Any] = {"last_received_at": now, "node": sender.node, "modality": modality}
    if sender.calling_aet:
        activity |= {"calling_aet": sender.calling_aet, "called_aet": sender.called_aet}
    state = StudyState(study.state)
    if state in _OPEN_AGAIN:
        revision = study.revision + 1
        withholding.cancel_older(
            session, StudyId(study.id), revision, now=now, actor=sender.calling_aet
        )
        move(
            session,
            Study,
            study.id,
            (state, StudyState.RECEIVING),
            now=now,
            actor=sender.calling_aet,
            note=f"revision {revision}",
            revision=revision,
            first_received_at=now,
            closed_at=None,
            reason="",
            **activity,
        )
    else:
        session.execute(sa.update(Study).where(Study.id == study.id).values(**activity))
    session.refresh(study)


def _placed(study: Study, alarm: str) -> InsertedInstance:
    return InsertedInstance(StudyId(study.id), study.revision, StudyState(study.state), alarm)
