"""Rules that match nothing are found before a study is."""

import pytest

from pacs_ai.config import Config, Rule
from pacs_ai.errors import ConfigError
from pacs_ai.flow.rule_check import check_rules, doubtful, impossible


def config(keyword: str, operand: object) -> Config:
    first = Rule(name="everything", model="demo")
    rule = Rule(name="chest", model="demo", when={keyword: operand})
    return Config.model_validate(
        {"node": {"ae_title": "AI_NODE", "other_ae_titles": ["STAT"]}, "rules": (first, rule)}
    )


@pytest.mark.parametrize(
    ("keyword", "operand"),
    [
        ("BodyPartExamined", "^CHEST.*$"),
        ("BodyPartExamined", ["CHEST", "^ABDOMEN"]),
        ("Modality", "CT|MR"),
        ("Modality", ">=CT"),
        ("SliceThickness", "<3"),
        ("SliceThickness", "thin"),
        ("SliceThickness", "3,0"),
        ("NumberOfFrames", "> 1"),
        ("StudyDate", "2026-01-01"),
        ("StudyTime", "after 8"),
        ("PatientAge", "65 years"),
        ("SOPClassUID", "CT Image Storage"),
        ("ImageType", "DERIVED\\SECONDARY"),
        ("CallingAET", "A_TITLE_OF_17_CHR"),
        ("BodyPart", "CHEST"),
        ("BodyPartExamind", "CHEST"),
        ("Modality", {"min": 1}),
        ("Modality.CodeValue", "CT"),
        ("ProcedureCodeSequence", "x"),
        ("ProcedureCodeSequence.Modality.CodeValue", "x"),
        ("PixelData", {"present": True}),
        ("CallingAET", {"min": 1}),
        ("CallingAddress", ["10.0.0.1", "10.0.0.0/64"]),
        ("CallingAddress", "console"),
    ],
)
def test_a_condition_that_cannot_be_true_is_refused(keyword: str, operand: object) -> None:
    said = str(next(impossible(config(keyword, operand))))
    assert said.startswith("[[rules]] number 2 ('chest'): ")
    assert keyword in said
    with pytest.raises(ConfigError, match="number 2"):
        check_rules(config(keyword, operand))


@pytest.mark.parametrize(
    ("keyword", "operand", "hint"),
    [
        ("StudyDescription", "^CHEST.*$", "regular expression"),
        ("SeriesDescription", ".*thorax.*", "regular expression"),
        ("SeriesDescription", "AX$", "regular expression"),
        ("ProtocolName", "<3", "compared as texts"),
        ("CallingAET", "^CT.*", "regular expression"),
        ("CalledAET", "OTHER", "none of this node's AE titles"),
        ("Rows", ">= 512", "compared as texts"),
        ("Modality", "ct", "upper case"),
        ("BodyPartExamined", "chest*", "upper case"),
    ],
)
def test_a_condition_that_looks_like_another_language_is_named(
    keyword: str, operand: object, hint: str
) -> None:
    settings = config(keyword, operand)
    assert list(impossible(settings)) == []
    said = str(next(doubtful(settings)))
    assert hint in said
    assert f"{keyword} = {operand!r}" in said


@pytest.mark.parametrize(
    ("keyword", "operand"),
    [
        ("BodyPartExamined", "CHEST*"),
        ("BodyPartExamined", "Chest (PA)"),
        ("BodyPartExamined", "[!A]*"),
        ("BodyPartExamined", ""),
        ("Modality", ["CR", "DX"]),
        ("SliceThickness", "[0-2].*"),
        ("SliceThickness", "1.5"),
        ("StudyDate", "2026????"),
        ("PatientAge", "0[0-9][0-9]Y"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2*"),
        ("StudyDescription", "CT * + contrast (venous)"),
        ("CalledAET", "STAT"),
        ("CalledAET", "AI_*"),
        ("CallingAET", "CT_[0-9][0-9]*"),
        ("ImageType", "ORIGINAL"),
        ("SliceThickness", {"max": 3}),
        ("PatientAge", {"min": 18}),
        ("NumberOfFrames", {"present": False}),
        ("ProcedureCodeSequence", {"present": True}),
        ("ProcedureCodeSequence.CodeValue", "RP*"),
        ("CallingAddress", ["10.1.0.0/16", "192.168.*", "::1"]),
    ],
)
def test_usual_conditions_are_in_order(keyword: str, operand: object) -> None:
    settings = config(keyword, operand)
    assert [*impossible(settings), *doubtful(settings)] == []


def test_every_place_is_checked_and_named_at_once() -> None:
    rule = {
        "name": "chest",
        "model": "demo",
        "when": {"any": [{"Modality": "CT"}, {"not": {"BodyPartExamind": "X"}}]},
        "series": {"when": {"SliceThickness": "thin", "CallingAET": "A"}},
    }
    settings = Config.model_validate({"rules": [rule], "routing": {"urgent": {"Prioity": "STAT"}}})
    with pytest.raises(ConfigError) as caught:
        check_rules(settings)
    said = str(caught.value)
    assert "any[2].not.BodyPartExamind: 'BodyPartExamind' is no DICOM keyword;" in said
    assert "did you mean 'BodyPartExamined'?" in said
    assert "series.when.SliceThickness = 'thin' never matches" in said
    assert "series.when.CallingAET: a series is chosen by its images" in said
    assert "[routing] urgent: Prioity" in said


def test_a_text_that_may_name_a_patient_is_left_out_for_a_log() -> None:
    (found,) = impossible(config("PatientBirthDate", "1970-01-01"))
    assert "1970" in str(found)
    assert "1970" not in found.without_value()
    (found,) = impossible(config("Modality", "CT|MR"))
    assert "CT|MR" in found.without_value()
