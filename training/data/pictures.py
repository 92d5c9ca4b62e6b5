"""Collect samples from PNG and JPEG files, with a labels file or a folder for each class."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from pacs_ai.errors import DataError
from training.data.classes import Annotation, Classes, Collected, CollectedSample
from training.data.crops import crop_to
from training.data.dicom import refuse_or_note
from training.data.labels import Label, read_box, split_names
from training.data.read import PICTURES
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
    pictures = _pictures(data.folder)
    stated = _from_table(data, pictures, notes) if data.labels else _from_folders(data, pictures)
    found = []
    for path, labels in stated:
        for said in classes.annotations(labels, by_box=data.crop is not None):
            found.append(_found(data, path, said))
    return Collected(tuple(found), tuple(notes))


def _pictures(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if not files:
        raise DataError(f"no PNG or JPEG file below {folder}; correct data.folder")
    return files


def _from_table(
    data: PictureData, pictures: Sequence[Path], notes: list[str]
) -> Iterator[tuple[Path, list[Label]]]:
    assert data.labels is not None  # noqa: S101 - the caller checked it
    labels: dict[Path, list[Label]] = {}
    columns = [data.file_column, data.label_column, data.split_column, data.patient_column]
    columns += [*(data.box_columns or ()), *data.where]
    left_out = 0
    for line, row in read_table(data.labels, [name for name in columns if name]):
        origin = f"{data.labels}, line {line}"
        path = data.folder / row[data.file_column]
        if not all(matches(row[name], wanted) for name, wanted in data.where.items()):
            left_out += 1
            labels.setdefault(path, [])
            continue
        label = Label(
            names=split_names(row[data.label_column], data.separator, origin),
            origin=origin,
            split=split_name(row.get(data.split_column, ""), origin),
            patient=row.get(data.patient_column, ""),
            box=read_box(row, data.box_columns, origin),
        )
        labels.setdefault(path, []).append(label)
    there = set(pictures)
    for path, stated in labels.items():
        if stated and path not in there:
            raise DataError(
                f"{stated[0].origin}: there is no picture {path}; correct the row, or data.folder"
            )
    unlabelled = [str(path) for path in pictures if path not in labels]
    if unlabelled:
        refuse_or_note(unlabelled, data.unlabelled, "no label", notes, "unlabelled")
    if left_out:
        notes.append(f"{left_out} rows that data.where leaves out")
    yield from ((path, stated) for path, stated in labels.items() if stated)


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
        columns, rows = _size(path)
        crop, box = crop_to(box, data.crop, rows, columns, str(path))
    sample = Sample(
        path=path,
        patient=said.patient or path.relative_to(data.folder).as_posix(),
        labels=said.labels,
        box=box,
        crop=crop,
        groups={"modality": data.modality},
        votes=said.votes,
    )
    return CollectedSample(sample, said.split)


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: not a PNG or JPEG picture ({type(error).__name__})") from error
