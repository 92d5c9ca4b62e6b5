"""The patients that the instances of a study name, compared by keyed hashes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import StudyState
from pacs_ai.store.schema import Identity, Instance, Study, Variant
from pacs_ai.store.session import Transaction

_PATIENT_ID = "PatientID"


@dataclass(frozen=True, slots=True)
class Stated:
    """The patient that one instance names: ``digest`` of all, ``fields`` that are not empty."""

    digest: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sender:
    """Where an instance came from, and the keyed hashes of its patient.

    An adopted orphan has no AE titles: whoever sent it was not told that it arrived. ``address`` is
    that of the network, "" if it is not known.
    """

    node: str
    calling_aet: str
    called_aet: str
    patient_key: str
    accession_key: str
    identity: Stated
    address: str = ""


def of_study(session: Session, study_id: int) -> Sequence[Identity]:
    """Return all identities of a study in the order of their arrival."""
    query = sa.select(Identity).where(Identity.study_id == study_id).order_by(Identity.id)
    return session.scalars(query).all()


def begin(
    transaction: Transaction, study: Study, sender: Sender, received_at: datetime
) -> Identity:
    """Insert the first identity of a study."""
    return _insert(transaction, study, sender, study.patient_number, received_at)


def recognise(
    transaction: Transaction, study: Study, sender: Sender, received_at: datetime
) -> Identity:
    """Return the identity row of an instance; inserted if it is new.

    It belongs to the patient whose known fields it does not contradict, the study's own before
    the others; where there is none it is another patient. An empty field contradicts nothing.
    """
    rows = of_study(transaction, study.id) or [_before_identities(transaction, study, sender)]
    for row in rows:
        if row.digest == sender.identity.digest:
            return row
    numbers = sorted({row.patient_number for row in rows})
    numbers.sort(key=lambda number: number != study.patient_number)
    for number in numbers:
        if not differing(merged(rows, number), sender.identity.fields):
            return _insert(transaction, study, sender, number, received_at)
    return _insert(transaction, study, sender, max(numbers) + 1, received_at)


def merged(rows: Sequence[Identity], patient_number: int) -> dict[str, str]:
    """Return the fields of one patient that any of its identities has filled in."""
    known: dict[str, str] = {}
    for row in rows:
        if row.patient_number == patient_number:
            known.update(row.fields)
    return known


def differing(first: Mapping[str, str], second: Mapping[str, str]) -> tuple[str, ...]:
    """Return the fields that are filled in both and not the same."""
    return tuple(field for field in first if second.get(field, first[field]) != first[field])


def against(session: Session, study: Study, identity: Identity) -> tuple[str, ...]:
    """Return the fields in which an identity contradicts the study's own."""
    known = merged(of_study(session, study.id), study.patient_number)
    return differing(known, identity.fields)


def _insert(
    transaction: Transaction,
    study: Study,
    sender: Sender,
    patient_number: int,
    received_at: datetime,
) -> Identity:
    superseded = sa.select(Identity.superseded).where(
        Identity.study_id == study.id, Identity.patient_number == patient_number
    )
    row = Identity(
        study_id=study.id,
        patient_number=patient_number,
        superseded=bool(transaction.scalar(superseded.limit(1))),
        digest=sender.identity.digest,
        fields=dict(sender.identity.fields),
        patient_key=sender.patient_key,
        accession_key=sender.accession_key,
        calling_aet=sender.calling_aet,
        first_received_at=received_at,
    )
    transaction.add(row)
    transaction.flush()
    return row


def _before_identities(transaction: Transaction, study: Study, sender: Sender) -> Identity:
    """Insert the identity of a study of an older version, which stored the PatientID only."""
    same = study.patient_key == sender.patient_key
    known = sender.identity.fields.get(_PATIENT_ID) if same else study.patient_key
    row = Identity(
        study_id=study.id,
        patient_number=study.patient_number,
        superseded=False,
        digest="",
        fields={_PATIENT_ID: known} if known else {},
        patient_key=study.patient_key,
        accession_key=study.accession_key,
        calling_aet=study.calling_aet,
        first_received_at=study.first_received_at,
    )
    transaction.add(row)
    transaction.flush()
    transaction.execute(
        sa.update(Instance).where(Instance.study_id == study.id).values(identity_id=row.id)
    )
    return row


def adopt(transaction: Transaction, study: Study, identity: Identity) -> None:
    """Make an identity the study's own; results under the previous one are void.

    Rows of other patients count as superseded from now on.
    """
    if identity.patient_number != study.patient_number:
        study.correction += 1
    study.patient_number = identity.patient_number
    study.patient_key = identity.patient_key
    study.accession_key = identity.accession_key
    for row in of_study(transaction, study.id):
        row.superseded = row.patient_number != identity.patient_number
    transaction.flush()


def used(session: Session, study: Study) -> str:
    """Return the part of the identity in result UIDs; "" for a study that was never corrected."""
    if not study.correction:
        return ""
    rows = of_study(session, study.id)
    first = next(row for row in rows if row.patient_number == study.patient_number)
    return f"{first.digest}/{study.correction}"


def foreign(session: Session, study: Study) -> dict[int, str]:
    """Find the instances whose file names another patient than the study's.

    Returns
    -------
    dict
        Row id of each such instance, and the path of a file of the study that names the right
        patient; "" if there is none.
    """
    rows = _named(session, study)
    right = next((path for _, path, number in rows if number == study.patient_number), "")
    return {key: right for key, _, number in rows if number not in (None, study.patient_number)}


def right_file(session: Session, study: Study) -> str:
    """Return the path of an instance that names the study's patient; "" if there is none.

    Instances of a version that did not note whom they name, name the patient of a study that was
    never corrected.
    """
    right = (study.patient_number, *(() if study.correction else (None,)))
    return next((path for _, path, number in _named(session, study) if number in right), "")


def files_of_patients(session: Session, study_id: int) -> dict[int, str]:
    """Return the path of one file for each patient that a study may be of, by its number."""
    current = (
        sa.select(Identity.patient_number, Instance.path)
        .join(Instance, Instance.identity_id == Identity.id)
        .where(Instance.missing.is_(False), Instance.path != "")
    )
    aside = (
        sa.select(Identity.patient_number, Variant.path)
        .join(Variant, Variant.identity_id == Identity.id)
        .join(Instance, Instance.id == Variant.instance_id)
    )
    found = [
        (number, path)
        for query in (aside, current)  # what is in use stands last, and wins
        for number, path in session.execute(query.where(Instance.study_id == study_id))
    ]
    return dict(sorted(found, key=lambda one: one[0]))


def _named(session: Session, study: Study) -> list[tuple[int, str, int | None]]:
    """Return id, path and patient of each instance; those that are analysed come first."""
    query = (
        sa.select(Instance.id, Instance.path, Identity.patient_number)
        .join(Identity, Identity.id == Instance.identity_id, isouter=True)
        .where(Instance.study_id == study.id)
        .order_by(Instance.unusable_reason != "", Instance.id)
    )
    return [(key, path, number) for key, path, number in session.execute(query)]


def unnoted_conflicts(session: Session) -> dict[int, list[Instance]]:
    """Return the instances of the studies in CONFLICT that have no identity rows.

    A version without identities put it there, and knew no more than that there are two.
    """
    query = (
        sa.select(Instance)
        .join(Study, Study.id == Instance.study_id)
        .where(
            Study.state == StudyState.CONFLICT,
            ~sa.exists().where(Identity.study_id == Study.id),
        )
        .order_by(Instance.id)
    )
    found: dict[int, list[Instance]] = {}
    for row in session.scalars(query):
        found.setdefault(row.study_id, []).append(row)
    return found


def note(transaction: Transaction, study: Study, stated: Sequence[tuple[int, Sender]]) -> None:
    """Insert the identities of a study as they would have been inserted at its arrival.

    Parameters
    ----------
    stated
        Row id of each instance, and what its file says, in the order of arrival.
    """
    if of_study(transaction, study.id):
        return  # another node was faster
    for key, sender in stated:
        instance = transaction.get_one(Instance, key)
        first = not of_study(transaction, study.id)
        enter = begin if first else recognise
        instance.identity_id = enter(transaction, study, sender, instance.received_at).id
    transaction.flush()
