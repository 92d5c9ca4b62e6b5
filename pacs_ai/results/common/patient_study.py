"""Patient and study attributes of a result: copied from the source, if a result may have them."""

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from pacs_ai.dicom.conforming import conforming_element, drop_dependents
from pacs_ai.dicom.modules import PATIENT_AND_STUDY, TRIAL_SUBJECT
from pacs_ai.dicom.reading import present, text

_STUDY = "StudyInstanceUID"
_TRIAL = ("ClinicalTrialSponsorName", "ClinicalTrialProtocolID")

# Type 2: there in every result, empty where the source has none.
_ALWAYS = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
)

# Type 2 where the source has anything of the module that the prefix stands for.
_WITH_TRIAL = (
    ("ClinicalTrialTimePoint", ("ClinicalTrialTimePointID",)),
    (
        "ClinicalTrialProtocolID",
        ("ClinicalTrialProtocolName", "ClinicalTrialSiteID", "ClinicalTrialSiteName"),
    ),
)


def copy_identity(source: Dataset, target: Dataset) -> tuple[str, ...]:
    """Copy patient and study from the source to a result.

    Values stay as they are; only text is encoded anew, as the result's character set is UTF-8.
    Values that would make the result invalid are left out (`pacs_ai.dicom.conforming`).

    Parameters
    ----------
    source
        Header of the study's reference image, its text decoded.
    target
        The result; changed in place.

    Returns
    -------
    tuple of str
        Keywords of what is left out.
    """
    left_out: list[str] = []
    for keyword in present(source, PATIENT_AND_STUDY):
        if keyword != _STUDY:  # which is taken over as it is
            element = conforming_element(source, keyword, left_out)
            if element is not None:
                target[element.tag] = element
    drop_dependents(target, left_out)
    _drop_half_a_trial(target, left_out)
    due = list(_ALWAYS)
    for prefix, keywords in _WITH_TRIAL:
        if any(element.keyword.startswith(prefix) for element in target):
            due += keywords
    for keyword in due:
        if keyword not in target:
            target[keyword] = DataElement(keyword, dictionary_VR(keyword), None)
    return tuple(left_out)


def _drop_half_a_trial(target: Dataset, left_out: list[str]) -> None:
    """Take out a trial without a sponsor, protocol or subject (PS3.3 Section C.7.1.3)."""
    stated = present(target, TRIAL_SUBJECT)
    subject = ("ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID")
    known = any(text(target, keyword) for keyword in subject)
    if not stated or (known and all(text(target, keyword) for keyword in _TRIAL)):
        return
    for keyword in stated:
        del target[keyword]
    left_out += stated


def copied_element(source: Dataset, keyword: str) -> DataElement | None:
    """Copy an element that is written as UTF-8 whatever the source's character set was.

    Returns
    -------
    DataElement or None
        None if the source has no such element, or none that a result may have.
    """
    return conforming_element(source, keyword, []) if keyword in source else None
