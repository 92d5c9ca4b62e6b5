"""The table of truth: the ways to name a study and to say what is true of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from pacs_ai.acceptance.truth import read_truth
from pacs_ai.errors import DataError
from tests.unit.acceptance.made import model, write_truth

ABSENT, PRESENT = (True, False), (False, True)


@pytest.mark.parametrize(
    ("header", "cells", "truth"),
    [
        (["study_instance_uid", "label"], ["1.2", "lesion"], PRESENT),
        (["StudyInstanceUID", "label"], ["1.2", "No Finding"], ABSENT),
        (["Accession Number", "truth"], ["A1", "1"], PRESENT),
        (["path", "finding"], ["case1", "negative"], ABSENT),
        (["study", "lesion"], ["1.2", "1"], PRESENT),
        (["study", "lesion", "no finding"], ["1.2", "0", "1"], ABSENT),
    ],
)
def test_ways_to_state_the_truth(
    header: list[str], cells: list[object], truth: tuple[bool, ...], tmp_path: Path
) -> None:
    (row,) = read_truth(write_truth(tmp_path / "truth.csv", header, [cells]), model())
    assert row.truth == truth
    assert row.value == cells[0]


def test_patient_and_groups_of_the_table(tmp_path: Path) -> None:
    header = ["accession", "label", "patient", "sender", "sex"]
    table = write_truth(tmp_path / "truth.csv", header, [["A1", "1", "p", "WARD", ""]])
    (row,) = read_truth(table, model())
    assert (row.key, row.patient, row.groups) == ("accession", "p", {"sender": "WARD"})


def test_ages_and_sexes_of_the_table_are_grouped_as_those_of_the_files(tmp_path: Path) -> None:
    rows = [["1", "1", "f", "39"], ["2", "1", "M", "60"], ["3", "1", "female", "40-59"]]
    table = write_truth(tmp_path / "truth.csv", ["study", "label", "sex", "age"], rows)
    assert [row.groups for row in read_truth(table, model())] == [
        {"sex": "female", "age": "<40"},
        {"sex": "male", "age": "60+"},
        {"sex": "female", "age": "40-59"},
    ]


def test_empty_rows_of_a_spreadsheet_are_no_rows(tmp_path: Path) -> None:
    rows = [["1", "1"], [], ["", "", ""], ["2", "0", " "]]
    table = write_truth(tmp_path / "truth.csv", ["study", "label"], rows)
    assert [row.value for row in read_truth(table, model())] == ["1", "2"]


def test_several_findings_in_one_label(tmp_path: Path) -> None:
    both = tuple(replace(entry, positive=True) for entry in model().classes)
    several = replace(model("sigmoid"), classes=both)
    table = write_truth(tmp_path / "truth.csv", ["study", "label"], [["1", "lesion|no finding"]])
    (row,) = read_truth(table, several)
    assert row.truth == (True, True)


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        (["label"], [["1"]], "says which study"),
        (["study", "label"], [["", "1"]], "line 2: no study"),
        (["study", "label"], [["1", "oedema"]], "'oedema' is none of the classes"),
        (["study", "label"], [["1", ""]], "line 2: the label is empty"),
        (["study", "label"], [["1", "1"], ["2", "1", "x"]], "line 3: there are more cells"),
        (["study", "label"], [["", ""], []], "no rows below a header"),
        (["study", "label"], [["1", "1"], ["1", "0"]], "line 3: the study is in the table"),
        (["study", "sex"], [["1", "male"]], "neither a column label nor one for 'lesion'"),
        (["study", "lesion"], [["1", "-1"]], "column 'lesion': '-1' is neither 1 nor 0"),
        (["study", "lesion", "no finding"], [["1", "1", "1"]], "exclude each other"),
    ],
)
def test_a_table_that_does_not_tell_is_refused(
    header: list[str], rows: list[list[object]], said: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=said):
        read_truth(write_truth(tmp_path / "truth.csv", header, rows), model())
