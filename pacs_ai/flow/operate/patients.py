"""Whose study it is, in clear: for people who may know it, read when they ask."""

from pacs_ai.dicom.header import read_facts
from pacs_ai.domain import StudyState
from pacs_ai.errors import NotDicom, StateError
from pacs_ai.flow.audit import note
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import find_study
from pacs_ai.store import identities, viewing

SHOWN = {
    "PatientName": "Name",
    "PatientID": "Patient ID",
    "PatientBirthDate": "Date of birth",
    "PatientSex": "Sex",
    "AccessionNumber": "Accession number",
    "StudyDate": "Study date",
    "StudyDescription": "Study",
}
"""Keywords of what is read, and what people call it."""


def show_patients(context: FlowContext, reference: str) -> dict[int, dict[str, str]]:
    """Read from files of a study whose it is; that somebody looked is in the ledger.

    Parameters
    ----------
    reference
        Row id, Study Instance UID, or reference of the log.

    Returns
    -------
    dict
        The patient by the number of the choice: one, or in a CONFLICT each that the study may be
        of. A patient is a value by keyword, in the order of `SHOWN`, without those that are empty:
        it is shown, and kept nowhere.

    Raises
    ------
    StateError
        If there is no such study, its files are gone, or it is not known whom they name.
    """
    study = find_study(context, reference).study
    with context.database.read() as session:
        stored = viewing.stored_instances(session, study.id, 1)
        paths = identities.files_of_patients(session, study.id)
        right = identities.right_file(session, study)
    if study.state == StudyState.CONFLICT and not paths:
        raise StateError(f"study {study.id}: it is not known which patients its files name")
    if study.state != StudyState.CONFLICT:
        paths = {study.patient_number: right or stored[0].path} if stored else {}
    if not paths:
        raise StateError(f"study {study.id}: its files are removed (retention.images_days)")
    note.accessed(context, study.id, "patient shown")
    return {number: _patient(context, path) for number, path in paths.items()}


def _patient(context: FlowContext, path: str) -> dict[str, str]:
    try:
        found = read_facts(context.spool.path_of(path), SHOWN)
    except NotDicom:
        return {}
    texts = {key: _text(found.get(key, "")) for key in SHOWN}
    return {key: value for key, value in texts.items() if value}


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "; ".join(value)
