"""Where the labels of DICOM images come from: a section of the recipe."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from training.recipe.strict import Strict

KeyName = Literal["PatientID", "StudyUID", "SeriesUID", "SOPInstanceUID"]
Uncertain = Literal["mask", "negative", "positive", "drop"]


class LabelFile(Strict):
    """A CSV file, and the split of all its rows ("" if the rows have different splits)."""

    file: Path
    split: Literal["", "train", "validation", "test"] = ""


class TableLabels(Strict):
    """Labels from CSV files.

    ``key`` is the kind of identifier in ``key_column``. With ``key_pattern``, a regular expression,
    group 1 is the identifier (for columns with paths). ``vote_columns`` are the labels of several
    readers: the majority counts if ``label_column`` is empty. ``patient_column`` replaces the
    PatientID as the unit of splitting. ``box_columns`` are x0, y0, x1, y1 of the finding, in
    pixels, half open; a row without these numbers has no box. ``label_columns`` are columns with
    1 or 0 for each class, in place of ``label_column`` (empty is 0, -1 is uncertain), as
    ``pacs-ai feedback export`` writes them. An ``uncertain`` label is left out of the loss
    (``mask``; only sigmoid can), counts as ``negative`` or ``positive``, or the row is left out
    (``drop``).
    """

    kind: Literal["table"]
    files: tuple[LabelFile, ...] = Field(min_length=1)
    key: KeyName
    key_column: str
    key_pattern: str = ""
    label_column: str = "label"
    label_columns: tuple[str, ...] = ()
    uncertain: Uncertain = "mask"
    vote_columns: tuple[str, ...] = ()
    split_column: str = ""
    patient_column: str = ""
    box_columns: tuple[str, str, str, str] | None = None


class PatternLabels(Strict):
    """Labels from the PatientID: group 1 of ``pattern``, a regular expression."""

    kind: Literal["patient-id"]
    pattern: str
