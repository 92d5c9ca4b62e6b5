"""Many phantom studies and the table of their labels."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path

from pacs_ai.phantom.scene import chance, seeded
from pacs_ai.phantom.study import MODALITIES, PhantomStudy, own_patient_id, write_phantom_study

LABELS_FILE = "labels.csv"

Planned = partial[PhantomStudy]
"""A call of `write_phantom_study` that is still to be made."""
Draw = Callable[[Sequence[Planned]], Iterable[PhantomStudy]]


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One line of the labels file, one for each image. Without a lesion the box is empty."""

    file: str
    patient_id: str
    study_uid: str
    series_uid: str
    sop_uid: str
    modality: str
    label: int
    x0: int | None
    y0: int | None
    x1: int | None
    y1: int | None


def write_phantom_collection(
    folder: Path, studies: int, seed: int, draw: Draw | None = None
) -> list[PhantomStudy]:
    """Write many studies and their labels.

    Modalities take turns, half of the studies (by chance) hold a lesion, and every fourth study is
    of the same patient as the one before it, so that a split must look at patients.

    Parameters
    ----------
    folder
        Where they go, a folder each, beside ``labels.csv`` (columns: `LabelRow`).
    studies
        How many.
    seed
        Two collections with different seeds share no study and no patient.
    draw
        Draws what was planned and gives it in its order; by default one after the other.
    """
    rng = seeded("collection", seed)
    planned: list[Planned] = []
    patient = ""
    for index in range(studies):
        again = index % 4 == 3  # noqa: PLR2004 - every fourth
        modality, number = MODALITIES[index % len(MODALITIES)], int(rng.integers(2**48))
        planned.append(
            partial(
                write_phantom_study,
                folder / f"study{index:05d}",
                modality,
                number,
                lesion=chance(rng, 0.5),
                patient_id=patient if again else None,
            )
        )
        patient = own_patient_id(modality, number)
    written = list(draw(planned)) if draw else [study() for study in planned]
    _write_labels(folder, written)
    return written


def read_labels(folder: Path) -> list[LabelRow]:
    """Read the labels of a collection."""
    with (folder / LABELS_FILE).open(newline="", encoding="utf-8") as lines:
        return [_label_row(line) for line in csv.DictReader(lines)]


def _label_row(line: dict[str, str]) -> LabelRow:
    x0, y0, x1, y1 = (int(line[name]) if line[name] else None for name in ("x0", "y0", "x1", "y1"))
    return LabelRow(
        file=line["file"],
        patient_id=line["patient_id"],
        study_uid=line["study_uid"],
        series_uid=line["series_uid"],
        sop_uid=line["sop_uid"],
        modality=line["modality"],
        label=int(line["label"]),
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
    )


def _write_labels(folder: Path, studies: list[PhantomStudy]) -> None:
    with (folder / LABELS_FILE).open("w", newline="", encoding="utf-8") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(field.name for field in fields(LabelRow))
        for study in studies:
            for image in study.images:
                row = LabelRow(
                    image.path.relative_to(folder).as_posix(),
                    study.patient_id,
                    study.study_uid,
                    study.series_uid,
                    image.sop_uid,
                    study.modality,
                    int(image.box is not None),
                    *(image.box or (None,) * 4),
                )
                table.writerow(astuple(row))
