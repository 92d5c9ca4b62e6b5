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
from pacs_ai.model.preprocess import preprocess
from pacs_ai.model.spec import InputSpec

Floats = npt.NDArray[np.float32]

_READERS = 2
_CHUNK = 64
_SEED_STEP = 1_000_003


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Preprocessed images ``x`` (n, height, width, 1), labels ``y`` (n,), and their rows."""

    x: Floats
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
    x = np.concatenate(list(_inputs(folder, rows, spec)))
    return ImageSet(x, np.array([row.label for row in rows], dtype=np.int64), rows)


def _inputs(folder: Path, rows: tuple[LabelRow, ...], spec: InputSpec) -> Iterator[Floats]:
    paths = [folder / row.file for row in rows]
    if len(paths) <= _CHUNK:
        yield from (_input(path, spec) for path in paths)
        return
    with ProcessPoolExecutor(_READERS) as readers:
        yield from readers.map(partial(_input, spec=spec), paths, chunksize=_CHUNK)


def _input(path: Path, spec: InputSpec) -> Floats:
    try:
        return preprocess(read_pixels(path), spec)
    except DataError as error:
        raise DataError(f"{path}: {error.message}") from error
