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


def show_patient(context: FlowContext, reference: str) -> dict[str, str]:
    """Read from a file of a study whose it is; that somebody looked is in the ledger.

    Parameters
    ----------
    reference
        Row id, Study Instance UID, or reference of the log.

    Returns
    -------
    dict
        Value by keyword, in the order of `SHOWN`, without those that are empty. It names a
        patient: it is shown, and kept nowhere.

    Raises
    ------
    StateError
        If there is no such study, or it is not known whose it is, or its files are gone.
    """
    study = find_study(context, reference).study
    if study.state == StudyState.CONFLICT:
        raise StateError(f"study {study.id} names several patients: say first whose it is")
    with context.database.read() as session:
        stored = viewing.stored_instances(session, study.id, 1)
        right = identities.right_file(session, study)
    if not stored:
        raise StateError(f"study {study.id}: its files are removed (retention.images_days)")
    note.accessed(context, study.id, "patient shown")
    path = context.spool.path_of(right or stored[0].path)
    try:
        found = read_facts(path, SHOWN)
    except NotDicom:
        found = {}
    texts = {key: _text(found.get(key, "")) for key in SHOWN}
    return {key: value for key, value in texts.items() if value}


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "; ".join(value)
