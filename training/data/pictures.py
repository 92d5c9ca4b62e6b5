"""Collect samples from picture files, with a labels file or a folder for each class."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pacs_ai.errors import DataError
from training.data.classes import Annotation, Classes, Collected, CollectedSample
from training.data.crops import crop_to
from training.data.dicom import refuse_or_note
from training.data.label_columns import columns_of
from training.data.labels import Label, compile_pattern, read_box
from training.data.picture_file import FORMATS, PICTURES, picture_size
from training.data.samples import Sample
from training.data.table import is_split, read_table, split_name
from training.recipe.data import PictureData
from training.recipe.selection import matches


def collect_pictures(data: PictureData, classes: Classes) -> Collected:
    """Find the pictures of a folder and their labels.

    Raises
    ------
    DataError
        If there is no usable picture, the file of a row is missing, or a picture has no label
        (unless the recipe drops those); names file or line and the remedy.
    """
    notes: list[str] = []
    pictures = _pictures(data, notes)
    stated = (
        _from_table(data, data.labels, classes, pictures, notes)
        if data.labels
        else _from_folders(data, pictures)
    )
    found = []
    for path, labels in stated:
        for said in classes.annotations(labels, by_box=data.crop is not None):
            found.append(_found(data, path, said))
    return Collected(tuple(found), tuple(notes))


def _pictures(data: PictureData, notes: list[str]) -> list[Path]:
    """List the pictures; count and name the other files."""
    files = sorted(path for path in data.folder.rglob("*") if not path.is_dir())
    pictures = [path for path in files if path.suffix.lower() in PICTURES]
    if not pictures:
        raise DataError(f"no {FORMATS} file below {data.folder}; correct data.folder")
    others = [path for path in files if path.suffix.lower() not in PICTURES and path != data.labels]
    for suffix, count in sorted(Counter(path.suffix.lower() for path in others).items()):
        first = next(path for path in others if path.suffix.lower() == suffix)
        kind = suffix or "without an ending"
        notes.append(f"{count} files left out, not {FORMATS} ({kind}; the first: {first})")
    return pictures


def _from_table(
    data: PictureData,
    table: Path,
    classes: Classes,
    pictures: Sequence[Path],
    notes: list[str],
) -> Iterator[tuple[Path, list[Label]]]:
    labels: dict[Path, list[Label]] = {}
    source = columns_of(data, table, classes)
    columns = [data.file_column, *source.columns, data.split_column, data.patient_column]
    columns += [*(data.box_columns or ()), *data.where]
    left_out = uncertain = 0
    for line, row in read_table(table, [name for name in columns if name]):
        origin = f"{table}, line {line}"
        path = data.folder / row[data.file_column]
        if not all(matches(row[name], wanted) for name, wanted in data.where.items()):
            left_out += 1
            labels.setdefault(path, [])
            continue
        names, open_names = source.names(row, origin)
        if open_names and data.uncertain == "drop":
            uncertain += 1
            labels.setdefault(path, [])
            continue
        label = Label(
            names=names,
            uncertain=open_names,
            origin=origin,
            split=split_name(row.get(data.split_column, ""), origin),
            patient=row.get(data.patient_column, ""),
            box=read_box(row, data.box_columns, origin),
        )
        labels.setdefault(path, []).append(label)
    _refuse_absent(labels, pictures)
    unlabelled = [str(path) for path in pictures if path not in labels]
    if unlabelled:
        refuse_or_note(unlabelled, data.unlabelled, "no label", notes, "unlabelled")
    if left_out:
        notes.append(f"{left_out} rows that data.where leaves out")
    if uncertain:
        notes.append(f"{uncertain} rows left out, they have an uncertain label")
    yield from ((path, stated) for path, stated in labels.items() if stated)


def _refuse_absent(labels: Mapping[Path, Sequence[Label]], pictures: Sequence[Path]) -> None:
    """Refuse rows whose picture is not there.

    Raises
    ------
    DataError
        Counts the rows, shows one, and a picture whose name differs by zeros or the ending alone.
    """
    there = set(pictures)
    absent = [(path, rows[0]) for path, rows in labels.items() if rows and path not in there]
    if not absent:
        return
    path, row = absent[0]
    bare = path.name.split(".")[0].lstrip("0")
    like = next((each for each in pictures if each.stem.lstrip("0") == bare), None)
    hint = (
        f" There is {like.name}: a spreadsheet may have removed zeros or the ending."
        if like
        else ""
    )
    raise DataError(
        f"{len(absent)} of {len(labels)} rows name a picture that is not there. The first is "
        f"{row.origin}: there is no picture {path}.{hint} Correct the rows, or data.folder"
    )


def _from_folders(
    data: PictureData, pictures: Sequence[Path]
) -> Iterator[tuple[Path, list[Label]]]:
    for path in pictures:
        above = path.relative_to(data.folder).parts[:-1]
        if not above:
            raise DataError(
                f"{path} is not in the folder of a class; name a file in data.labels, or sort the "
                "pictures into a folder for each class"
            )
        splits = [split_name(name, str(path)) for name in above[:-1] if is_split(name)]
        yield path, [Label((above[-1],), str(path), splits[-1] if splits else "")]


def _found(data: PictureData, path: Path, said: Annotation) -> CollectedSample:
    box, crop = said.box, None
    if box is not None:
        columns, rows = picture_size(path)
        crop, box = crop_to(box, data.crop, rows, columns, str(path))
    sample = Sample(
        path=path,
        patient=_patient(data, path, said),
        labels=said.labels,
        box=box,
        crop=crop,
        groups={"modality": data.modality},
        votes=said.votes,
        uncertain=said.uncertain,
    )
    return CollectedSample(sample, said.split)


def _patient(data: PictureData, path: Path, said: Annotation) -> str:
    """Return the patient of a picture: of the table, or of its path; else its path."""
    name = path.relative_to(data.folder).as_posix()
    if not data.patient_pattern:
        return said.patient or name
    text = said.patient or name
    found = compile_pattern(data.patient_pattern, "data.patient_pattern").search(text)
    patient = next((group for group in found.groups() if group), "") if found else ""
    if not patient:
        raise DataError(
            f"{path}: data.patient_pattern finds no patient; make it match the name of each "
            "picture, for example by (one|other)"
        )
    return patient
