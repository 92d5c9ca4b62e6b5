"""Rules that match nothing are found before a study is."""

import pytest

from pacs_ai.config import Config, Operand, Rule
from pacs_ai.errors import ConfigError
from pacs_ai.flow.rule_check import check_rules, doubtful, impossible


def config(keyword: str, operand: Operand) -> Config:
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
    ],
)
def test_a_condition_that_cannot_be_true_is_refused(keyword: str, operand: Operand) -> None:
    (said,) = impossible(config(keyword, operand))
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
    keyword: str, operand: Operand, hint: str
) -> None:
    settings = config(keyword, operand)
    assert list(impossible(settings)) == []
    (said,) = doubtful(settings)
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
    ],
)
def test_usual_conditions_are_in_order(keyword: str, operand: Operand) -> None:
    settings = config(keyword, operand)
    assert [*impossible(settings), *doubtful(settings)] == []
