"""Who an instance says its patient is, in a form in which two instances can be compared."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

KEYWORDS = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex")
"""What identifies a patient, in the order of `PatientIdentity`."""

_NAME_GROUPS = ("PatientName", "PatientName (ideographic)", "PatientName (phonetic)")
_DATE_SIGNS = re.compile(r"[.\-/\s]")


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """The values as decoded; "" where absent. They name a patient: keep hashes, nothing else."""

    patient_id: str = ""
    issuer_of_patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""

    def stated(self) -> Mapping[str, str]:
        """Return what is really said, normalised: same text, same patient as far as it goes.

        Returns
        -------
        Mapping
            Field to value, without fields that are empty. Case, padding, and empty components at
            the end of a name are nothing. The component groups of a name (PS3.5 Section 6.2.1)
            are fields of their own: a sender that adds the ideographic one changes no other.
        """
        values = {
            "PatientID": _plain(self.patient_id),
            "IssuerOfPatientID": _plain(self.issuer_of_patient_id),
            **_name(self.patient_name),
            "PatientBirthDate": _DATE_SIGNS.sub("", _plain(self.patient_birth_date)),
            "PatientSex": _plain(self.patient_sex),
        }
        return {field: value for field, value in values.items() if value}


def _plain(value: str) -> str:
    text = unicodedata.normalize("NFKC", value.replace("\0", " "))
    return " ".join(text.casefold().split())


def _name(name: str) -> dict[str, str]:
    groups = name.split("=")[: len(_NAME_GROUPS)]
    return {
        field: "^".join(_plain(component) for component in group.split("^")).rstrip("^")
        for field, group in zip(_NAME_GROUPS, groups, strict=False)
    }
