"""The split of a run as a file: ``split.csv``, written once at training and read by later steps.

It has a row for each image, also for those that were left out, so that an image that is added later
is recognised. The hash of a split is the SHA-256 of the bytes of this file.
"""

import csv
import io
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Literal, get_args

from pacs_ai import csv_file
from pacs_ai.errors import DataError
from pacs_ai.files import atomic_write
from training.data.samples import Sample
from training.data.split import limit_patients
from training.data.table import split_name

LeftOut = Literal["", "limit", "unreadable", "mask", "leakage"]
"""Why an image is in no split: it is of a patient beyond the limit, cannot be read, has two grey
levels, or another split has it too; "" if it is in a split."""

_REASONS = get_args(LeftOut)
_NEEDED = ("file", "split")
_COLUMNS_SAID = "A split file has these columns by these names"
_PLACE = ("file", "frame", "crop")


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One image, as text.

    ``file`` is its path below the folder of the data, ``frame`` starts at 0, ``crop`` and ``box``
    are "x0 y0 x1 y1" or "". ``patient`` is the key of the patient, ``labels`` are names of classes
    with "|" between them, ``pixels`` is the SHA-256 of the display values ("" if the image was not
    read). ``group`` is the same for all images that are nearly the same, directly or by others
    between them: the first 12 digits of the pixel hash of one of them. ``split`` is "" if the image
    was left out before splits were drawn.
    """

    file: str
    frame: str = ""
    crop: str = ""
    split: str = ""
    left_out: LeftOut = ""
    patient: str = ""
    labels: str = ""
    box: str = ""
    pixels: str = ""
    group: str = ""


COLUMNS = tuple(field.name for field in fields(SplitRow))


@dataclass(frozen=True, slots=True)
class SplitFile:
    """The rows of a split file, and the columns that it has; an imported file may have fewer."""

    path: Path
    columns: frozenset[str]
    rows: tuple[SplitRow, ...]

    def place(self, row: SplitRow) -> tuple[str, ...]:
        """Return what names an image: file, frame and crop, as far as the file has them."""
        return tuple(getattr(row, name) for name in _PLACE if name in self.columns)

    def by_place(self) -> dict[tuple[str, ...], list[SplitRow]]:
        """Return the rows of each image, more than one if equal boxes of it were cropped twice."""
        found: dict[tuple[str, ...], list[SplitRow]] = defaultdict(list)
        for row in self.rows:
            found[self.place(row)].append(row)
        return found


def describe(sample: Sample, root: Path, classes: Sequence[str]) -> SplitRow:
    """Describe a sample as a row without split, pixels and group."""
    inside = sample.path.relative_to(root) if sample.path.is_relative_to(root) else sample.path
    return SplitRow(
        file=os.fsencode(inside.as_posix()).decode("utf-8", "backslashreplace").strip(),
        frame=str(sample.frame),
        crop=_corners(sample.crop),
        patient=sample.key,
        labels="|".join(classes[index] for index in sample.labels),
        box=_corners(sample.box),
    )


def _corners(box: Sequence[float] | None) -> str:
    return " ".join(f"{value:.10g}" for value in box or ())


def write_split(path: Path, rows: Sequence[SplitRow]) -> None:
    """Write a split file with all columns, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(row) for row in rows)
    atomic_write(path, text.getvalue())


def read_split(path: Path) -> SplitFile:
    """Read a split file; columns other than ``file`` and ``split`` may be missing.

    Raises
    ------
    DataError
        If it cannot be read, a row has no file, an unknown split, or an unknown reason to be left
        out, or one image is in two splits; names the line.
    """
    rows, columns = [], frozenset[str]()
    if not path.is_file():
        raise DataError(f"{path} does not exist: it is to hold the split")
    for line, row in csv_file.read_table(path, _NEEDED, _COLUMNS_SAID):
        where = f"{path}, line {line}"
        columns = frozenset(row) & frozenset(COLUMNS)
        found = SplitRow(**{name: row[name] for name in columns})  # type: ignore[arg-type]
        if not found.file or found.left_out not in _REASONS:
            raise DataError(f"{where}: a row needs a file; left_out is {', '.join(_REASONS[1:])}")
        if not found.split and not found.left_out:
            raise DataError(f"{where}: {found.file} is in no split and is not left out")
        rows.append(replace(found, split=split_name(found.split, where)))
    split = SplitFile(path, columns, tuple(rows))
    for same in split.by_place().values():
        if len({(row.split, row.left_out) for row in same}) > 1:
            raise DataError(f"{path}: {same[0].file} is in two splits")
    return split


def limited(split: SplitFile, limit: int) -> SplitFile:
    """Leave at most ``limit`` patients in each split; images left out are not compared."""
    used = [row for row in split.rows if not row.left_out]
    kept = limit_patients(
        [row.split for row in used],
        [row.labels for row in used],
        [row.patient or row.file for row in used],
        limit,
    )
    stays = {id(used[index]) for index in kept}
    rows = [
        replace(row, group="")
        if id(row) in stays
        else replace(row, left_out="limit", pixels="", group="")
        for row in split.rows
    ]
    return replace(split, rows=tuple(rows))
