"""Images and labels in memory, read and preprocessed exactly as the node does it."""

import csv
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pacs_ai.demo.phantom import LABELS_FILE, LabelRow, read_labels, write_phantom_collection
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import DataError
from pacs_ai.model.preprocess import content_box, preprocess
from pacs_ai.model.spec import InputSpec

Floats = npt.NDArray[np.float32]
Pair = tuple[Floats, npt.NDArray[np.int8]]

_READERS = 2
_CHUNK = 64
_SEED_STEP = 1_000_003


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Preprocessed images ``x`` (n, height, width, 1), labels ``y`` (n,), and their rows.

    ``inside`` (n, height, width, 1) is 1 in the lesion's box and -1 elsewhere, int8.
    """

    x: Floats
    inside: npt.NDArray[np.int8]
    y: npt.NDArray[np.int64]
    rows: tuple[LabelRow, ...]

    def groups(self) -> list[npt.NDArray[np.int64]]:
        """List the images of each modality and label, for an even draw."""
        keys = [f"{row.modality}/{row.label}" for row in self.rows]
        names = np.array(keys)
        return [np.flatnonzero(names == name) for name in sorted(set(keys))]


def draw_split(folder: Path, studies: int, seed: int, index: int) -> None:
    """Write one split of phantoms, unless it is there already.

    Parameters
    ----------
    folder
        Where it goes.
    studies
        How many.
    seed, index
        The recipe's seed and the split's number; splits with other numbers share no patient.
    """
    if not (folder / LABELS_FILE).exists():
        write_phantom_collection(folder, studies, seed + index * _SEED_STEP)


def check_disjoint(splits: dict[str, list[LabelRow]]) -> None:
    """Refuse splits that share a patient.

    Raises
    ------
    DataError
        If a patient is in two of them.
    """
    seen: dict[str, str] = {}
    for name, rows in splits.items():
        for patient in {row.patient_id for row in rows}:
            if seen.setdefault(patient, name) != name:
                raise DataError(f"splits {seen[patient]} and {name} share a patient")


def load_images(folder: Path, spec: InputSpec) -> ImageSet:
    """Read a labelled collection of DICOM files.

    Parameters
    ----------
    folder
        A collection with ``labels.csv``.
    spec
        What the network takes.

    Raises
    ------
    DataError
        If a file cannot be read or nothing is there; the message names the file.
    """
    try:
        rows = tuple(read_labels(folder))
    except (OSError, KeyError, csv.Error) as error:
        raise DataError(f"{folder / LABELS_FILE} cannot be read") from error
    if not rows:
        raise DataError(f"{folder / LABELS_FILE} lists no image")
    pairs = list(_inputs(folder, rows, spec))
    labels = np.array([row.label for row in rows], dtype=np.int64)
    x, inside = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return ImageSet(x, inside, labels, rows)


def _inputs(folder: Path, rows: tuple[LabelRow, ...], spec: InputSpec) -> Iterator[Pair]:
    if len(rows) <= _CHUNK:
        yield from (_input(row, folder, spec) for row in rows)
        return
    with ProcessPoolExecutor(_READERS) as readers:
        yield from readers.map(partial(_input, folder=folder, spec=spec), rows, chunksize=_CHUNK)


def _input(row: LabelRow, folder: Path, spec: InputSpec) -> Pair:
    path = folder / row.file
    try:
        pixels = read_pixels(path)
        return preprocess(pixels, spec), _inside(row, pixels.shape[0], pixels.shape[1], spec)
    except DataError as error:
        raise DataError(f"{path}: {error.message}") from error


def _inside(row: LabelRow, rows: int, columns: int, spec: InputSpec) -> npt.NDArray[np.int8]:
    """Draw the lesion's box on the network's input, shape (1, height, width, 1)."""
    inside = np.full((1, spec.height, spec.width, 1), -1, dtype=np.int8)
    if row.x0 is None or row.y0 is None or row.x1 is None or row.y1 is None:
        return inside
    top, left, height, width = content_box(rows, columns, spec)
    across, down = width / columns, height / rows
    x0, x1 = round(left + row.x0 * across), round(left + row.x1 * across)
    y0, y1 = round(top + row.y0 * down), round(top + row.y1 * down)
    inside[0, y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = 1
    return inside
