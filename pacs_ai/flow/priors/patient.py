"""Whether an earlier study is of the same patient: no field that both state may differ."""

from pacs_ai.dicom.patient import PatientIdentity
from pacs_ai.dicom.scan import scan_instance
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import identities
from pacs_ai.store.schema import Study
from pacs_ai.store.session import Session


def patient_of(context: FlowContext, session: Session, study: Study) -> PatientIdentity | None:
    """Read whom a study names, from a file with the right patient; None if none is there.

    Raises
    ------
    NotDicom, StorageError
        If the file cannot be read.
    """
    path = identities.right_file(session, study)
    if not path:
        return None
    return scan_instance(context.spool.path_of(path), hash_pixels=False).patient


def differing_fields(
    context: FlowContext, session: Session, patient: PatientIdentity, earlier: Study
) -> tuple[str, ...]:
    """Return the fields in which an earlier study names another patient.

    Hashes of two studies are not comparable, so those of the patient are computed for the earlier
    study. Its identity is the one that a person has decided for, if it was corrected.
    """
    known = identities.merged(identities.of_study(session, earlier.id), earlier.patient_number)
    stated = context.identity(earlier.study_instance_uid, patient)
    return identities.differing(known, stated.fields)
