"""A de-identified copy of one image, from its file to a data set that can be written."""

from collections.abc import Iterable
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from pacs_ai import __version__
from pacs_ai.deidentify import kept
from pacs_ai.deidentify.burned_in import KEYWORDS, burned_in
from pacs_ai.deidentify.codes import code_item
from pacs_ai.deidentify.header import HeaderCopy
from pacs_ai.deidentify.pixels import put_pixels
from pacs_ai.deidentify.profile import EDITION, Profile, Retain
from pacs_ai.deidentify.pseudonyms import Pseudonyms
from pacs_ai.dicom.files import open_file
from pacs_ai.dicom.image_pixel import LAYOUT_KEYWORDS
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.reading import read_until_pixels, text
from pacs_ai.dicom.writing import CHARACTER_SET
from pacs_ai.errors import DataError, NotDicom
from pacs_ai.uids import IMPLEMENTATION_CLASS_UID

_READ = (
    *(*kept.UIDS, *kept.TERMS, *kept.COUNTS, *kept.NUMBERS, *kept.WORDS, *kept.SEQUENCES),
    *(f"{name}{part}" for name in kept.TABLES for part in ("Descriptor", "Data")),
    *(*kept.CODES, *kept.EMPTY, *kept.PATIENT, *kept.DEVICE, *kept.DATES, *kept.MOMENTS),
    *(name.removesuffix("Date") + "Time" for name in kept.DATES),
    *(*KEYWORDS, *LAYOUT_KEYWORDS),
)
_MUST = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "Modality")


def deidentify(
    path: Path,
    patient: str,
    profile: Profile,
    pseudonyms: Pseudonyms,
    *,
    with_burned_in: bool = False,
) -> Dataset:
    """Make the copy of an image.

    Parameters
    ----------
    path
        The file.
    patient
        What stands for the patient, the same for all images; no part of it gets into the copy.
    profile
        What is retained.
    pseudonyms
        Of this export.
    with_burned_in
        Copy images whose pixels may show text.

    Returns
    -------
    Dataset
        Complete, for `pacs_ai.dicom.writing.part10`.

    Raises
    ------
    DataError
        If it is no image, or may show text, or has a value that no image has.
    UnsupportedPixels, NotDicom, StorageError
        If it cannot be read.
    """
    source = _read(path)
    sop_class = text(source, "SOPClassUID").strip(" \0")
    if UID(sop_class).is_private or UID(sop_class).type != "SOP Class":
        raise DataError("is of no kind of the standard")
    reason = burned_in(source)
    if reason and not with_burned_in:
        raise DataError(f"{reason}: its pixels may show text")
    with quiet():
        made = HeaderCopy(profile, pseudonyms, pseudonyms.earlier(patient)).of(source)
    if missing := [keyword for keyword in _MUST if keyword not in made]:
        raise DataError(f"has no known {', '.join(missing)}")
    made.SOPClassUID = sop_class
    _name_patient(made, pseudonyms.patient(patient))
    _state_methods(made, profile)
    if reason:
        made.BurnedInAnnotation = "YES"
    put_pixels(made, path)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    return made


def _read(path: Path) -> Dataset:
    try:
        with quiet(), open_file(path) as stream:
            opened = read_until_pixels(stream, _READ)
    except FOREIGN_ERRORS as error:
        raise NotDicom(f"cannot be read ({type(error).__name__})") from error
    if opened.pixels is None:
        raise DataError("is no image")
    return opened.dataset


def _name_patient(made: Dataset, name: str) -> None:
    made.SpecificCharacterSet = CHARACTER_SET
    for keyword in kept.EMPTY:
        if keyword not in made:
            setattr(made, keyword, "")
    made.PatientID = made.PatientName = name


def _state_methods(made: Dataset, profile: Profile) -> None:
    """Say what was done (PS3.15 Section E.1.1, PS3.3 Section C.7.1.1)."""
    methods: Iterable[tuple[str, str]] = profile.methods()
    made.PatientIdentityRemoved = "YES"
    made.DeidentificationMethod = [f"pacs-ai {__version__}", f"PS3.15 {EDITION}"]
    made.DeidentificationMethodCodeSequence = Sequence(
        [code_item(value, "DCM", meaning) for value, meaning in methods]
    )
    kept_dates = Retain.DATES in profile.retain
    made.LongitudinalTemporalInformationModified = "MODIFIED" if kept_dates else "REMOVED"
