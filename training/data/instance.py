"""One DICOM file and its header."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_ai.dicom.age import age_group
from pacs_ai.dicom.header import read_facts
from pacs_ai.errors import NotDicom
from training.recipe.label_tables import KeyName

KEYWORDS = (
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "InstanceNumber",
    "Modality",
    "Manufacturer",
    "PatientSex",
    "PatientAge",
    "InstitutionName",
    "ClinicalTrialSiteID",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
)


@dataclass(frozen=True, slots=True)
class Instance:
    """One file and the values of its header, by keyword."""

    path: Path
    facts: Mapping[str, str | list[str]]

    def text(self, keyword: str) -> str:
        """Return a value as text, the first of several, "" if absent."""
        value = self.facts.get(keyword, "")
        return value if isinstance(value, str) else value[0]

    def count(self, keyword: str, otherwise: int) -> int:
        """Return a whole number."""
        value = self.text(keyword)
        return int(value) if value.lstrip("+-").isdigit() else otherwise

    @property
    def keys(self) -> dict[KeyName, str]:
        """The identifiers by which a label can name the image."""
        return {
            "PatientID": self.text("PatientID"),
            "StudyUID": self.text("StudyInstanceUID"),
            "SeriesUID": self.text("SeriesInstanceUID"),
            "SOPInstanceUID": self.text("SOPInstanceUID"),
        }

    @property
    def groups(self) -> dict[str, str]:
        """The known subgroups of the image."""
        maker = self.text("Manufacturer").upper().split()
        groups = {
            "modality": self.text("Modality"),
            "maker": maker[0] if maker else "",
            "sex": {"M": "male", "F": "female"}.get(self.text("PatientSex").upper(), ""),
            "age": _age_group(self.text("PatientAge")),
            "site": self.text("ClinicalTrialSiteID") or self.text("InstitutionName"),
        }
        return {name: value for name, value in groups.items() if value}


def read_instance(path: Path, keywords: Sequence[str]) -> Instance | None:
    """Read a header; None if the file is not a complete DICOM instance."""
    try:
        facts = read_facts(path, keywords)
    except NotDicom:
        return None
    return Instance(path, facts) if facts.get("SOPInstanceUID") else None


def _age_group(age: str) -> str:
    """Return the group of an age string (PS3.5 Section 6.2, AS): ``045Y``, ``011M``."""
    number, unit = age[:-1], age[-1:].upper()
    if not number.isdigit() or unit not in "DWMY":
        return ""
    return age_group(int(number) if unit == "Y" else 0)
