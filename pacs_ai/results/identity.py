"""Patient and study of a result: taken over from the source exactly, also where they are odd."""

import copy

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from pacs_ai.dicom.foreign import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.modules import PATIENT_AND_STUDY

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


def copy_identity(source: Dataset, target: Dataset) -> None:
    """Give a result the patient and study of its source.

    Values stay as they are, malformed ones too; only text is encoded anew, as the result's
    character set is UTF-8. Items of code sequences that do not make a code are left out.

    Parameters
    ----------
    source
        Header of the study's reference image.
    target
        The result; changed in place.
    """
    for keyword in PATIENT_AND_STUDY:
        element = copied_element(source, keyword)
        if element is not None:
            target[element.tag] = element
    due = list(_ALWAYS)
    for prefix, keywords in _WITH_TRIAL:
        if any(element.keyword.startswith(prefix) for element in target):
            due += keywords
    for keyword in due:
        if keyword not in target:
            target[keyword] = DataElement(keyword, dictionary_VR(keyword), None)


def copied_element(source: Dataset, keyword: str) -> DataElement | None:
    """Copy an element that is written as UTF-8 whatever the source's character set was.

    Returns
    -------
    DataElement or None
        None if the source has no such element, or none that can be read: a number of the wrong
        length, a sequence that breaks off.
    """
    tag = Tag(tag_for_keyword(keyword) or 0)
    if tag not in source:
        return None
    with quiet():
        try:
            element = source[tag]
            return _copied_sequence(element) if element.VR == "SQ" else copy.copy(element)
        except FOREIGN_ERRORS:
            return None


def _copied_sequence(element: DataElement) -> DataElement | None:
    copied = copy.deepcopy(element)
    for item in copied.value:
        for nested in item.iterall():  # the walk decodes what was still raw
            del nested
        item.pop("SpecificCharacterSet", None)
    if copied.keyword.endswith("CodeSequence"):
        copied.value = [item for item in copied.value if _makes_a_code(item)]
        return copied if copied.value else None
    return copied


def _makes_a_code(item: Dataset) -> bool:
    """Tell whether an item has what PS3.3 Section 8.8 asks of a code."""
    if not item.get("CodeMeaning"):
        return False
    if item.get("URNCodeValue"):
        return True
    value = item.get("CodeValue") or item.get("LongCodeValue")
    return bool(value and item.get("CodingSchemeDesignator"))
