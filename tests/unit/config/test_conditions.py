"""Conditions of rules: what may stand in them, and what is said of what may not."""

from pathlib import Path

import pytest

from pacs_ai.config import load_config
from pacs_ai.config.conditions import in_words, may_name_a_patient, redacted
from pacs_ai.errors import ConfigError

RULE = '[[rules]]\nname = "chest"\nmodel = "demo"\n'


def loaded(tmp_path: Path, text: str):
    path = tmp_path / "pacs-ai.toml"
    path.write_text(RULE + text)
    return load_config(path).rules[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("when = { all = [] }", "when.all: must be a list of tables of conditions: all = [{...}"),
        ("when = { any = { Modality = 'CT' } }", "when.any: must be a list of tables"),
        ("when = { any = [{}] }", "when.any: must be a list of tables"),
        ("when = { not = ['CT'] }", "when.not: must be a table of conditions"),
        (
            "when = { any = [{ Modality = 'CT' }, { Rows = 3 }] }",
            "when.any[2].Rows: must be a text or a list of texts",
        ),
        ("when = { Rows = { min = 2, max = 1 } }", "when.Rows: min is more than max"),
        ("when = { Rows = { min = '2' } }", "when.Rows: min and max must be numbers"),
        ("when = { Rows = { mim = 2 } }", "when.Rows: must be a text or a list of texts"),
        ("when = { Rows = { present = 'yes' } }", "when.Rows: must be a text or a list"),
        ("series = { min_images = 0 }", "series.min_images: must be at least 1"),
        ("series = { orientation = 'flat' }", "series.orientation, value 1: must be 'axial'"),
        ("series = { when = { Rows = 1 } }", "series.when.Rows: must be a text"),
        ("series = { slices = 3 }", "series.slices: unknown key"),
        ("priority = 'stat'", "priority: must be 'urgent', 'routine' or 'low'"),
        ("send_to = ['sender']", "no peer 'sender'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert "[[rules]] number 1" in str(caught.value)
    assert said in str(caught.value)


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "when = { Rows = 3, not = { Columns = 4 } }\nseries = { min_images = 0 }")
    for place in ("when.Rows", "when.not.Columns", "series.min_images"):
        assert place in str(caught.value)


def test_nesting_has_a_limit(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nested more than"):
        loaded(tmp_path, f"when = {'{ not = ' * 40}{{ Modality = 'CT' }}{' }' * 40}")


def test_a_condition_is_told_in_words_and_without_names(tmp_path: Path) -> None:
    rule = loaded(
        tmp_path,
        "when = { Modality = ['CT', 'MR'], any = [{ PatientID = 'CANARY' }, { Rows = { min = 2 }}],"
        " not = { CallingAET = 'X*' }, ProcedureCodeSequence.CodeValue = 'CANARY' }",
    )
    assert in_words(rule.when, may_name_a_patient) == [
        "Modality = CT or MR",
        "one of (PatientID = ***; or Rows is at least 2)",
        "not (CallingAET = X*)",
        "ProcedureCodeSequence.CodeValue = ***",
    ]
    assert redacted(rule.when) == {
        "Modality": ["CT", "MR"],
        "any": [{"PatientID": "***"}, {"Rows": {"min": 2}}],
        "not": {"CallingAET": "X*"},
        "ProcedureCodeSequence": {"CodeValue": "***"},
    }


def test_several_models_a_rule(tmp_path: Path) -> None:
    text = RULE.replace('"demo"', '["demo", "other"]') + '[models.demo]\nbundle = "demo"\n'
    path = tmp_path / "pacs-ai.toml"
    path.write_text(text + '[models.other]\nbundle = "demo"\n')
    assert load_config(path).rules[0].models == ("demo", "other")
    path.write_text(text)
    with pytest.raises(ConfigError, match="no model 'other'"):
        load_config(path)
