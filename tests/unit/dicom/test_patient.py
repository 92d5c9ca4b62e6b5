"""Which two ways of naming a patient are the same, and which are not."""

import pytest

from pacs_ai.dicom.patient import PatientIdentity

DOE = PatientIdentity("A 17", "HOSPITAL", "Doe^John", "19700203", "M")


@pytest.mark.parametrize(
    "other",
    [
        PatientIdentity(" a 17 ", "Hospital", "DOE^JOHN^^^", "19700203 ", "m"),
        PatientIdentity("A 17", "HOSPITAL", " Doe ^ John ", "1970.02.03", "M"),
        PatientIdentity("A  17\0", "HOSPITAL", "Doe^John==", "19700203", "M\0"),
    ],
)
def test_case_padding_and_trailing_delimiters_are_nothing(other: PatientIdentity):
    assert other.stated() == DOE.stated()


@pytest.mark.parametrize(
    ("other", "field"),
    [
        (PatientIdentity("A 18", "HOSPITAL", "Doe^John", "19700203", "M"), "PatientID"),
        (PatientIdentity("A 17", "CLINIC", "Doe^John", "19700203", "M"), "IssuerOfPatientID"),
        (PatientIdentity("A 17", "HOSPITAL", "Doe^Jane", "19700203", "M"), "PatientName"),
        (PatientIdentity("A 17", "HOSPITAL", "Doe^John", "19700204", "M"), "PatientBirthDate"),
        (PatientIdentity("A 17", "HOSPITAL", "Doe^John", "19700203", "F"), "PatientSex"),
    ],
)
def test_each_field_tells_two_patients_apart(other: PatientIdentity, field: str):
    mine, theirs = DOE.stated(), other.stated()
    assert [key for key in mine if mine[key] != theirs.get(key)] == [field]


def test_empty_fields_state_nothing():
    assert dict(PatientIdentity(" ", "", "^^", "\0", "").stated()) == {}


def test_component_groups_are_fields_of_their_own():
    romanised = PatientIdentity(patient_name="Yamada^Tarou").stated()
    whole = PatientIdentity(patient_name="Yamada^Tarou=山田^太郎=やまだ^たろう").stated()
    assert whole["PatientName"] == romanised["PatientName"]
    assert set(whole) == {
        "PatientName",
        "PatientName (ideographic)",
        "PatientName (phonetic)",
    }


def test_the_same_letters_written_otherwise_are_the_same_name():
    assert (
        PatientIdentity(patient_name="Müller^Ann").stated()
        == PatientIdentity(patient_name="Mu\u0308ller^Ann").stated()
    )
