"""How an instance that arrives changes its study: a new one, continued, reopened, or CONFLICT."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pacs_ai.domain import StudyId, StudyState
from pacs_ai.priorities import Priority
from pacs_ai.store import identities, instances, repeats, withholding
from pacs_ai.store.identities import Sender
from pacs_ai.store.schema import Identity, Instance, Study
from pacs_ai.store.session import Transaction
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


def admit(transaction: Transaction, arrival: instances.Arrival, sender: Sender) -> InsertedInstance:
    """Give an instance its row, and its study the state that follows from it.

    The study is in CONFLICT afterwards if the instance names another patient than the study's.

    Parameters
    ----------
    arrival
        One with an `unusable_reason` is no cause to analyse anything: it opens no revision.
    """
    study = transaction.scalar(
        sa.select(Study)
        .where(Study.study_instance_uid == arrival.study_instance_uid)
        .with_for_update()
    )
    alarm = ""
    if study is None:
        study = _begin(transaction, arrival, sender)
        identity = identities.begin(transaction, study, sender, transaction.now)
    else:
        identity = identities.recognise(transaction, study, sender, transaction.now)
        passive = bool(arrival.unusable_reason)
        if study.state == StudyState.DELETED:
            _begin_again(transaction, study, identity)
            _continue(transaction, study, sender, modality=arrival.modality)
        elif identity.patient_number != study.patient_number:
            alarm = hold(transaction, study, identity, known=passive)
        elif not passive:
            _continue(transaction, study, sender, modality=arrival.modality)
    instances.insert(transaction, arrival, study, sender, identity.id)
    transaction.flush()
    return _inserted(study, alarm)


def _begin(transaction: Transaction, arrival: instances.Arrival, sender: Sender) -> Study:
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
        first_received_at=transaction.now,
        last_received_at=transaction.now,
        reason="",
    )
    transaction.add(study)
    transaction.flush()
    record(transaction, "study", study.id, "", StudyState.RECEIVING)
    return study


def _begin_again(transaction: Transaction, study: Study, identity: Identity) -> None:
    """Receive a deleted study again: it may name another patient than before.

    The results of then may lie in an archive: under another patient they need other UIDs.
    """
    if identity.patient_number != study.patient_number:
        identities.adopt(transaction, study, identity)
    study.first_received_at = transaction.now
    study.priority = Priority.ROUTINE


def hold(
    transaction: Transaction,
    study: Study,
    identity: Identity,
    *,
    known: bool = False,
) -> str:
    """Move any state → CONFLICT and cancel its jobs: a person must say who the patient is.

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
    fields = ", ".join(identities.against(transaction, study, identity))
    reason = f"instances of two patients came under this Study Instance UID (different: {fields})"
    if study.state == StudyState.CONFLICT:
        return reason
    move(
        transaction,
        Study,
        study.id,
        (StudyState(study.state), StudyState.CONFLICT),
        note=reason,
        reason=reason,
        last_received_at=transaction.now,
    )
    withholding.void_jobs(transaction, StudyId(study.id), "its study is in CONFLICT")
    transaction.refresh(study)
    return reason


def repeat(
    transaction: Transaction, instance: Instance, sender: Sender, *, opens: bool
) -> InsertedInstance | None:
    """Record that an instance came again from another sender or to another AE title.

    Parameters
    ----------
    opens
        Some rule asks for what comes by this way, and for none that the instance came before.

    Returns
    -------
    InsertedInstance or None
        Where the study is received on, because of it.
    """
    study = transaction.get_one(Study, instance.study_id, with_for_update=True)
    if not repeats.note(transaction, instance, sender):
        return None
    if not opens or study.state == StudyState.CONFLICT:
        return None
    _continue(transaction, study, sender, modality=study.modality)
    return _inserted(study, "")


def set_aside(
    transaction: Transaction, instance: Instance, variant: instances.SetAside, sender: Sender
) -> InsertedInstance:
    """Record a variant of an instance; the study is in CONFLICT if it names another patient."""
    study = transaction.get_one(Study, instance.study_id, with_for_update=True)
    identity = identities.recognise(transaction, study, sender, transaction.now)
    instances.insert_variant(transaction, instance, variant, identity.id)
    return _judge(transaction, study, identity)


def refused(transaction: Transaction, instance: Instance, sender: Sender) -> InsertedInstance:
    """Move the study to CONFLICT if a refused instance names another patient."""
    study = transaction.get_one(Study, instance.study_id, with_for_update=True)
    identity = identities.recognise(transaction, study, sender, transaction.now)
    return _judge(transaction, study, identity)


def _judge(transaction: Transaction, study: Study, identity: Identity) -> InsertedInstance:
    alarm = ""
    if identity.patient_number != study.patient_number:
        alarm = hold(transaction, study, identity, known=True)
    return _inserted(study, alarm)


def _continue(transaction: Transaction, study: Study, sender: Sender, modality: str) -> None:
    """Record the activity, and open the next revision if the study was closed."""
    activity: dict[str, Any] = {
        "last_received_at": transaction.now,
        "node": sender.node,
        "modality": modality,
    }
    if sender.calling_aet:
        activity |= {"calling_aet": sender.calling_aet, "called_aet": sender.called_aet}
    state = StudyState(study.state)
    if state in _OPEN_AGAIN:
        revision = study.revision + 1
        withholding.cancel_older(transaction, StudyId(study.id), revision)
        move(
            transaction,
            Study,
            study.id,
            (state, StudyState.RECEIVING),
            note=f"revision {revision}",
            revision=revision,
            first_received_at=transaction.now,
            closed_at=None,
            reason="",
            **activity,
        )
    else:
        transaction.execute(sa.update(Study).where(Study.id == study.id).values(**activity))
    transaction.refresh(study)


def _inserted(study: Study, alarm: str) -> InsertedInstance:
    return InsertedInstance(StudyId(study.id), study.revision, StudyState(study.state), alarm)
