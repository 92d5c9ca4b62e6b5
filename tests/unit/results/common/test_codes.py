import pytest

from pacs_ai.domain import ClassSpec, Code, Decision
from pacs_ai.results.common.codes import (
    concept,
    image_probability_concept,
    modality_code,
    probability_concept,
    procedure_code,
)


def spec(name: str, value: str) -> ClassSpec:
    return ClassSpec(name, Code(value, "SCT", name), 0.5, positive=True)


def test_the_name_of_a_probability_tells_class_and_level() -> None:
    lesion = spec("Lesion", "52988006")
    of_image, of_study = (probability_concept(lesion, study=study) for study in (False, True))
    assert (of_image.CodeValue, of_image.CodeMeaning) == ("P_52988006", "Lesion probability")
    assert (of_study.CodeValue, of_study.CodeMeaning) == ("S_52988006", "Lesion probability, study")


def test_a_finding_is_told_from_what_is_absent_by_name_and_code() -> None:
    lesion = spec("Lesion", "52988006")
    names = [probability_concept(lesion, study=True, decision=decision) for decision in Decision]
    assert {(str(name.CodeValue), str(name.CodeMeaning)) for name in names} == {
        ("SF_52988006", "FOUND - Lesion probability, study"),
        ("SU_52988006", "UNDETERMINED - Lesion probability, study"),
        ("S_52988006", "Lesion probability, study"),
    }


@pytest.mark.parametrize("study", [False, True])
def test_codes_keep_the_limits_of_the_standard(study: bool) -> None:
    long = [spec("Very long name of a class " * 5, "1234567890123456" + end) for end in "78"]
    decision = Decision.UNDETERMINED
    codes = [probability_concept(one, study=study, decision=decision) for one in long]
    codes += [image_probability_concept(one) for one in long]
    assert all(len(code.CodeValue) == 16 and len(code.CodeMeaning) <= 64 for code in codes)
    assert len({code.CodeValue for code in codes}) == len(codes)
    assert all("probability" in code.CodeMeaning for code in codes)
    assert len(concept(Code("X", "99PACSAI", "m" * 80)).CodeMeaning) == 64


@pytest.mark.parametrize("modality", ["CT", "MR", "CR", "DX", "MG", "US", "XA", "NM", "PT", "ES"])
def test_acquisition_modalities_have_their_code(modality: str) -> None:
    found = modality_code(modality)
    assert found is not None
    assert (found.CodeValue, found.CodingSchemeDesignator) == (modality, "DCM")
    assert found.CodeMeaning


@pytest.mark.parametrize("modality", ["OT", "", "??", "SC"])
def test_other_modalities_have_none(modality: str) -> None:
    """CID 29 has no other, and validators refuse what it has not."""
    assert modality_code(modality) is None


def test_procedures_that_are_not_known_get_a_general_code() -> None:
    assert procedure_code("CT").CodeValue == "25045-6"
    assert procedure_code("DX").CodeValue == "363679005"
