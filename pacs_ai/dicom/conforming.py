"""What of a source a result can take over without becoming invalid itself."""

from collections.abc import Mapping, Sequence

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from pacs_ai.dicom.dates_times import date_of, date_text, time_of
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.reading import text, value_of
from pacs_ai.dicom.values import broken_rule, standard_vr
from pacs_ai.uids import valid_uid

_CODE = ("CodeValue", "LongCodeValue", "URNCodeValue")
_PERSON = ("PersonIdentificationCodeSequence",)
_REFERENCE = ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID")

# Type 1 attributes of the items of sequences that are taken over (PS3.3 Sections 10 and C.7).
_MANDATORY: Mapping[str, tuple[str, ...]] = {
    "ReferencedPatientSequence": _REFERENCE,
    "ReferencedStudySequence": _REFERENCE,
    "ReferencedPatientPhotoSequence": ("TypeOfInstances", "ReferencedSOPSequence"),
    "ReferencedSOPSequence": _REFERENCE,
    "OtherPatientIDsSequence": ("PatientID", "TypeOfPatientID"),
    "SourcePatientGroupIdentificationSequence": ("PatientID",),
    "GroupOfPatientsIdentificationSequence": ("PatientID",),
    "ReferringPhysicianIdentificationSequence": _PERSON,
    "ConsultingPhysicianIdentificationSequence": _PERSON,
    "PhysiciansOfRecordIdentificationSequence": _PERSON,
    "PhysiciansReadingStudyIdentificationSequence": _PERSON,
    "StrainStockSequence": (
        *("StrainStockNumber", "StrainSource"),
        "StrainSourceRegistryCodeSequence",
    ),
    "GeneticModificationsSequence": (
        *("GeneticModificationsDescription", "GeneticModificationsNomenclature"),
    ),
    "BreedRegistrationSequence": ("BreedRegistrationNumber", "BreedRegistryCodeSequence"),
    "OtherClinicalTrialProtocolIDsSequence": (
        *("ClinicalTrialProtocolID", "IssuerOfClinicalTrialProtocolID"),
    ),
    "ConsentForClinicalTrialUseSequence": ("ConsentForDistributionFlag",),
    "CodingSchemeIdentificationSequence": ("CodingSchemeDesignator",),
}
_PEOPLE = frozenset(name for name, needed in _MANDATORY.items() if needed is _PERSON)

# Sequences of the HL7v2 Hierarchic Designator Macro (PS3.3 Section 10.17): who gave a number.
_DESIGNATORS = frozenset(
    {
        *("IssuerOfAccessionNumberSequence", "IssuerOfAdmissionIDSequence"),
        *("OrderPlacerIdentifierSequence", "OrderFillerIdentifierSequence"),
        *("IssuerOfServiceEpisodeIDSequence", "AssigningFacilitySequence"),
    }
)
_DESIGNATION = ("LocalNamespaceEntityID", "UniversalEntityID")

_OF_CODES = ("CodingSchemeVersion", "MappingResource", "ContextGroupVersion")  # type 1C

# Attributes that stand only beside others (type 1C): what they need, of which any one suffices.
_DEPENDENT: Mapping[str, tuple[str, ...]] = {
    "ResponsiblePerson": ("ResponsiblePersonRole",),
    "PatientBirthDateInAlternativeCalendar": ("PatientAlternativeCalendar",),
    "PatientDeathDateInAlternativeCalendar": ("PatientAlternativeCalendar",),
    "LongitudinalTemporalOffsetFromEvent": ("LongitudinalTemporalEventType",),
    "UniversalEntityID": ("UniversalEntityIDType",),
    "PatientIdentityRemoved": ("DeidentificationMethod", "DeidentificationMethodCodeSequence"),
}


def conforming(
    element: DataElement, left_out: list[str], *, any_length: bool = False
) -> DataElement | None:
    """Copy an element as far as it obeys the standard.

    Parameters
    ----------
    element
        Of a foreign data set; its text is decoded (`pacs_ai.dicom.text_decoding`). It is not
        changed.
    left_out
        Gains the keyword of what is wrong, with those of the sequences around it.
    any_length
        Let text be longer than its VR allows.

    Returns
    -------
    DataElement or None
        With the VR of the dictionary; dates and times of the form before DICOM in that of today.
        None if the value is not legal, or no item of a sequence can stand.
    """
    keyword = element.keyword
    vr = standard_vr(element)
    if vr == "SQ":
        made = _items(element, left_out, any_length=any_length)
        return DataElement(element.tag, "SQ", made) if made else None
    try:
        copied = DataElement(element.tag, vr, _standard_form(vr, element.value))
        if not broken_rule(copied, any_length=any_length) and _sound_reference(copied):
            return copied
    except FOREIGN_ERRORS:
        pass  # a value of another VR
    left_out.append(keyword)
    return None


def conforming_element(
    dataset: Dataset, keyword: str, left_out: list[str], *, any_length: bool = False
) -> DataElement | None:
    """Copy an element that is there as far as it obeys the standard: see `conforming`.

    Returns
    -------
    DataElement or None
        None also where it cannot be read: no valid number, an incomplete sequence.
    """
    with quiet():
        try:
            element = dataset[keyword]
        except FOREIGN_ERRORS:
            left_out.append(keyword)
            return None
        return conforming(element, left_out, any_length=any_length)


def drop_dependents(dataset: Dataset, left_out: list[str]) -> None:
    """Take out what may stand only beside attributes that are not there; changed in place."""
    for keyword, needed in _DEPENDENT.items():
        if text(dataset, keyword) in ("", "NO"):
            continue
        if not any(value_of(dataset, other) for other in needed):
            del dataset[keyword]
            left_out.append(keyword)


def _standard_form(vr: str, value: object) -> object:
    """Write dates and times as the standard has them today, if they can be read."""
    if vr == "DA" and isinstance(value, str) and (day := date_of(value)) is not None:
        return date_text(day)
    if vr == "TM" and isinstance(value, str) and (time := time_of(value)):
        return time
    return value


def _sound_reference(element: DataElement) -> bool:
    """Judge a UID strictly: one that is handed on is not one that the study has to be found by."""
    return element.VR != "UI" or not element.value or valid_uid(str(element.value))


def _items(element: DataElement, left_out: list[str], *, any_length: bool) -> list[Dataset]:
    keyword = element.keyword
    made = []
    for item in element.value if element.VR == "SQ" else ():
        faults: list[str] = []
        copied = _item(item, faults, any_length=any_length)
        if keyword in _DESIGNATORS:
            _drop_empty(copied, _DESIGNATION)
        if keyword.endswith("CodeSequence"):
            _drop_empty(copied, _OF_CODES)
        whole = _whole(keyword, copied)
        if whole:
            made.append(copied)
        if faults or not whole:
            left_out += [f"{keyword}.{fault}" for fault in faults] or [keyword]
    return made


def _item(item: Dataset, faults: list[str], *, any_length: bool) -> Dataset:
    copied = Dataset()
    for tag in item.keys():  # noqa: SIM118 - iteration itself converts values, and may fail
        keyword = keyword_for_tag(tag)
        if not keyword or keyword == "SpecificCharacterSet":
            continue
        made = conforming_element(item, keyword, faults, any_length=any_length)
        if made is not None:
            copied[made.tag] = made
    drop_dependents(copied, faults)
    return copied


def _drop_empty(item: Dataset, keywords: Sequence[str]) -> None:
    """Take out attributes that have to be absent rather than empty (type 1C)."""
    for keyword in keywords:
        if keyword in item and not value_of(item, keyword):
            del item[keyword]


def _whole(keyword: str, item: Dataset) -> bool:
    """Tell whether an item has what the standard asks of its kind."""
    if not len(item):
        return False
    if keyword.endswith("CodeSequence") and not _is_code(item):
        return False
    if keyword in _DESIGNATORS and not _any(item, *_DESIGNATION):
        return False
    if keyword in _PEOPLE and not _any(item, "InstitutionName", "InstitutionCodeSequence"):
        return False
    return all(value_of(item, needed) for needed in _MANDATORY.get(keyword, ()))


def _is_code(item: Dataset) -> bool:
    """Tell whether an item has what PS3.3 Section 8.8 asks of a code."""
    if not text(item, "CodeMeaning"):
        return False
    if text(item, "URNCodeValue"):
        return True
    return _any(item, *_CODE) and bool(text(item, "CodingSchemeDesignator"))


def _any(item: Dataset, *keywords: str) -> bool:
    return any(value_of(item, keyword) for keyword in keywords)
