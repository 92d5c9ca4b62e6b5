"""Use a split that is written down, and refuse data that are not those it was written for."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pacs_ai.errors import DataError
from training.data.split_file import SplitFile, SplitRow

_NAMED = 3
_KINDS = {
    "labels": "changed labels",
    "box": "changed boxes",
    "patient": "other patients",
    "pixels": "changed pictures",
    "group": "other near-duplicate groups",
}
"""The columns that are compared, and the names of their differences."""
_MAY_BE_EMPTY = ("labels", "box")


@dataclass(frozen=True, slots=True)
class Matched:
    """The row of each image, None if it has none, and the rows without an image."""

    rows: Sequence[SplitRow | None]
    missing: Sequence[SplitRow] = field(default=())


def match(frozen: SplitFile, found: Sequence[SplitRow]) -> Matched:
    """Find the row of each image in a split file.

    Parameters
    ----------
    frozen
        The split file.
    found
        The images as they are found now; only file, frame and crop are compared.
    """
    rows = {place: list(those) for place, those in frozen.by_place().items()}
    taken: dict[tuple[str, ...], int] = defaultdict(int)
    matched: list[SplitRow | None] = []
    for each in found:
        place = frozen.place(each)
        there = rows.get(place, [])
        matched.append(there[min(taken[place], len(there) - 1)] if there else None)
        taken[place] += 1
    missing = [row for place, those in rows.items() for row in those[taken[place] :]]
    return Matched(matched, missing)


def compare(frozen: SplitFile, matched: Matched, found: Sequence[SplitRow]) -> None:
    """Refuse data that differ from those of a split file.

    Parameters
    ----------
    frozen
        The split file.
    matched
        Its rows for the images.
    found
        The images as they are found now. An empty cell of the file is not compared, except labels
        and boxes: an image may have none. Groups are compared if all pictures are the same.

    Raises
    ------
    DataError
        Counts the differences by kind, and names the first files of each. It names no patient.
    """
    moved: dict[str, list[str]] = defaultdict(list)
    _compare_places(matched, found, moved)
    for row, now in zip(matched.rows, found, strict=True):
        if row is None:
            continue
        for column, kind in _KINDS.items():
            if column in frozen.columns and _differs(column, row, now):
                moved[kind].append(now.file)
    if moved.keys() - {_KINDS["group"], _KINDS["labels"], _KINDS["box"], _KINDS["patient"]}:
        moved.pop(_KINDS["group"], None)  # groups follow from the pictures
    if moved:
        counted = "; ".join(f"{kind}: {_named(files)}" for kind, files in moved.items())
        raise DataError(
            f"the data are not those of {frozen.path}. {counted}. Put the data back as they were, "
            "or train a new run with them in another folder"
        )


def _compare_places(
    matched: Matched, found: Sequence[SplitRow], moved: dict[str, list[str]]
) -> None:
    """List files that are missing, new, or have another name now."""
    new = [now for row, now in zip(matched.rows, found, strict=True) if row is None]
    before: dict[str, list[SplitRow]] = defaultdict(list)
    for row in matched.missing:
        before[row.pixels].append(row)
    renamed = set()
    for now in new:
        same = before[now.pixels] if now.pixels else []
        if same:
            row = same.pop(0)
            renamed.add(id(row))
            moved["renamed files"].append(f"{row.file} to {now.file}")
        else:
            moved["new images"].append(now.file)
    gone = [row.file for row in matched.missing if id(row) not in renamed]
    if gone:
        moved["missing images"] = gone


def _differs(column: str, row: SplitRow, now: SplitRow) -> bool:
    before = getattr(row, column)
    stated = bool(before) or column in _MAY_BE_EMPTY
    return stated and before != getattr(now, column)


def _named(files: Sequence[str]) -> str:
    first: Iterable[str] = dict.fromkeys(files)
    names = list(first)[:_NAMED]
    more = ", ..." if len(files) > len(names) else ""
    return f"{len(files)} ({', '.join(names)}{more})"
