"""Copy the images of one study into an export."""

import shutil
from pathlib import Path

from pacs_ai.deidentify.instance import deidentify
from pacs_ai.deidentify.profile import Profile
from pacs_ai.deidentify.pseudonyms import Pseudonyms
from pacs_ai.dicom.writing import part10_pieces
from pacs_ai.domain import StudyId
from pacs_ai.errors import DataError
from pacs_ai.files import atomic_file, translated
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.export.draft import IMAGES, DoneStudy
from pacs_ai.store import instances
from pacs_ai.store.schema import Instance, Study


def copy_study(
    context: FlowContext,
    study: Study,
    folder: Path,
    profile: Profile,
    pseudonyms: Pseudonyms,
    *,
    with_burned_in: bool,
) -> DoneStudy:
    """Write copies of the images of a study as ``images/PATIENT/STUDY/INSTANCE.dcm``.

    Raises
    ------
    StorageError
        If a copy cannot be written.
    """
    patient = patient_of(context, study)
    done = DoneStudy(
        study.id, pseudonyms.uid(study.study_instance_uid), pseudonyms.patient(patient), images=0
    )
    target = folder / IMAGES / done.patient / done.uid
    with translated(target, "cannot be made"):
        if target.exists():  # of a try that was interrupted
            shutil.rmtree(target)
        target.mkdir(parents=True)
    with context.database.read() as session:
        rows = instances.of_revision(session, StudyId(study.id), study.revision)
    for row in rows:
        try:
            _refuse(row)
            path = context.spool.path_of(row.path)
            copy = deidentify(path, patient, profile, pseudonyms, with_burned_in=with_burned_in)
        except DataError as error:
            done.left_out[row.id] = error.message
            continue
        with atomic_file(target / f"{copy.SOPInstanceUID}.dcm", durable=False) as file:
            file.writelines(part10_pieces(copy))
        done.images += 1
    return done


def patient_of(context: FlowContext, study: Study) -> str:
    """Return what stands for the patient of a study; one without a Patient ID is alone."""
    unknown = study.patient_key == context.patient_key("")
    return f"study {study.study_instance_uid}" if unknown else study.patient_key


def _refuse(row: Instance) -> None:
    if row.missing:
        raise DataError("its file is gone")
    if row.unusable_reason:
        raise DataError(f"is not analysed: {row.unusable_reason}")
