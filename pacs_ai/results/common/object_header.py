"""The header of every result object: patient, study, series, equipment, time, research marking.

Section numbers in comments are those of PS3.3.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from highdicom import SOPClass
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from pacs_ai.dicom.reading import text
from pacs_ai.dicom.writing import CHARACTER_SET
from pacs_ai.domain import InstanceHeader, ModelIdentity
from pacs_ai.results.common.coding_schemes import scheme_items
from pacs_ai.results.common.context import MANUFACTURER, MODEL_NAME, ResultContext
from pacs_ai.results.common.equipment import contributing_equipment
from pacs_ai.results.common.patient_study import copied_element, copy_identity
from pacs_ai.results.common.prebuilt import copied
from pacs_ai.uids import IMPLEMENTATION_CLASS_UID, derived_uid

_MAX_VERSION_NAME = 16
_TO_COME = "1.2.840.10008.1.1"  # any UID: the pattern's own are replaced
_SIDES = ("L", "R")

_SINGLE_FRAME = frozenset(
    {
        ComputedRadiographyImageStorage,
        DigitalXRayImageStorageForPresentation,
        DigitalXRayImageStorageForProcessing,
        DigitalMammographyXRayImageStorageForPresentation,
        DigitalMammographyXRayImageStorageForProcessing,
        CTImageStorage,
        MRImageStorage,
        PositronEmissionTomographyImageStorage,
        SecondaryCaptureImageStorage,
        UltrasoundImageStorage,
    }
)

_WITHOUT_SIDES = """
ABDOMEN ABDOMENPELVIS AORTA BACK BLADDER BRAIN CEREBELLUM CERVIX CHEST CHESTABDOMEN
CHESTABDPELVIS CIRCLEOFWILLIS COCCYX COLON CORONARYARTERY CSPINE CTSPINE DUODENUM ESOPHAGUS
FACE GALLBLADDER HEAD HEADNECK HEART ILEUM ILIUM JAW JEJUNUM LARYNX LIVER LSPINE LSSPINE
MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE PANCREAS
PELVIS PENIS PHARYNX PROSTATE RECTUM SCALP SKULL SPINE SPLEEN SSPINE STERNUM STOMACH THYMUS
THYROID TLSPINE TONGUE TRACHEA TSPINE URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY
"""  # terms of PS3.16 Annex L for body parts that are not paired
_UNPAIRED = frozenset(_WITHOUT_SIDES.split())


@dataclass(frozen=True, slots=True)
class ObjectHeader:
    """What distinguishes one result object from the others of its study.

    ``role`` names the series; ``instance_key`` is what the instance UID depends on in the series.
    """

    sop_class_uid: str
    modality: str
    role: str
    series_number: int
    series_description: str
    instance_number: int
    instance_key: tuple[str, ...]


def new_object(
    header: ObjectHeader, source: Dataset, model: ModelIdentity, context: ResultContext
) -> Dataset:
    """Make a result object without its content.

    Parameters
    ----------
    header
        Class, series and number.
    source
        Header of the study's reference image.
    model
        Who computed the result.
    context
        Installation and time.
    """
    study_uid = text(source, "StudyInstanceUID")
    offset = text(source, "TimezoneOffsetFromUTC")
    moment = context.made_at(offset)
    series_key = context.series_key(model, header.role, study_uid)
    pattern = _pattern(
        header.sop_class_uid,
        header.modality,
        context.software_version,
        context.installation_uid,
    )
    made = copied(pattern)
    made.file_meta = FileMetaDataset(copied(pattern.file_meta))
    made.StudyInstanceUID = study_uid
    made.SeriesInstanceUID = derived_uid("series", *series_key)
    made.SOPInstanceUID = derived_uid("instance", *series_key, *header.instance_key)
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.SeriesNumber = header.series_number
    made.InstanceNumber = header.instance_number
    made.SeriesDescription = header.series_description
    made.SeriesDate = made.ContentDate = moment.strftime("%Y%m%d")
    made.SeriesTime = made.ContentTime = moment.strftime("%H%M%S.%f")
    made.InstanceCreationDate = made.ContentDate
    made.InstanceCreationTime = made.ContentTime
    if offset:
        made.TimezoneOffsetFromUTC = offset
    if text(source, "SyntheticData") == "YES":  # what is derived from such data is (C.12.1)
        made.SyntheticData = "YES"
    if by := contributing_equipment(model):
        made.ContributingEquipmentSequence = list(by)
    copy_identity(source, made)
    made.CodingSchemeIdentificationSequence = scheme_items(source, made, model)
    return made


def load_standard() -> None:
    """Have highdicom read its tables of the standard now.

    highdicom reads the tables when it makes its first object: 100 MiB while they are read and
    60 MiB after that. A worker reads them at start, before the first study.
    """
    _pattern(SecondaryCaptureImageStorage, "OT", "", "")


@functools.lru_cache(maxsize=64)
def _pattern(
    sop_class_uid: str, modality: str, software_version: str, installation_uid: str
) -> Dataset:
    """Let highdicom make and check the part that objects of one class share."""
    made = SOPClass(
        study_instance_uid=_TO_COME,
        series_instance_uid=_TO_COME,
        series_number=1,
        sop_instance_uid=_TO_COME,
        sop_class_uid=sop_class_uid,
        instance_number=1,
        modality=modality,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=software_version,
        device_serial_number=installation_uid,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set=CHARACTER_SET,
        content_qualification="RESEARCH",
    )
    made.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    made.file_meta.ImplementationVersionName = f"PACS_AI_{software_version}"[:_MAX_VERSION_NAME]
    return made


def copy_body_part(source: Dataset, target: Dataset) -> None:
    """Copy body part and laterality, as far as the source states them.

    Notes
    -----
    Laterality is Type 2C (C.7.3.1): empty where the side is not known of a part that is paired,
    or might be; absent where the part has no sides.
    """
    side = text(source, "Laterality") or text(source, "ImageLaterality")
    part = copied_element(source, "BodyPartExamined") if text(source, "BodyPartExamined") else None
    if part is not None:
        target[part.tag] = part
    if text(source, "BodyPartExamined") not in _UNPAIRED:
        target.Laterality = side if side in _SIDES else ""


def referenced_frame(header: InstanceHeader, frame: int) -> int | None:
    """Return the frame number of a reference; None where the reference names no frame.

    Notes
    -----
    Some writers put several frames into a class of single-frame images; a reference to such an
    instance must not name a frame (PS3.3 Section 10.3).
    """
    if header.frames == 1 or header.sop_class_uid in _SINGLE_FRAME:
        return None
    return frame


def references(headers: Sequence[tuple[str, str]]) -> list[Dataset]:
    """Items that reference instances, each given as SOP class and SOP instance."""
    made = []
    for sop_class_uid, sop_instance_uid in headers:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class_uid
        item.ReferencedSOPInstanceUID = sop_instance_uid
        made.append(item)
    return made
