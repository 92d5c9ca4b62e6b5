"""What a network learned from: fingerprints of its training and validation images.

They are kept in the run, so that images of other data can be compared with them where the training
images are not at hand.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pacs_ai.errors import DataError
from pacs_ai.files import atomic_write
from training.data.fingerprint import COLUMNS, ROWS, Fingerprint
from training.data.samples import TRAIN, VALIDATION, patient_key
from training.data.split_file import SplitFile, SplitRow

_USED = (TRAIN, VALIDATION)


@dataclass(frozen=True, slots=True)
class Learned:
    """The images that a network learned from: files, keys of patients, and fingerprints.

    A key is "" if the patient is not known.
    """

    files: Sequence[str]
    patients: Sequence[str]
    prints: Sequence[Fingerprint]


def known_patient(row: SplitRow) -> str:
    """Return the key of the patient, "" for a picture that stands for its own patient."""
    return "" if row.patient == patient_key(row.file) else row.patient


def was_learned(row: SplitRow) -> bool:
    """Tell whether a network learned from an image, or was chosen by it."""
    return row.split in _USED and not row.left_out


def write_learned(path: Path, prints: Sequence[Fingerprint]) -> None:
    """Write the fingerprints of training and validation images, in the order of the split."""
    blank = np.zeros((ROWS, COLUMNS), dtype=np.uint8)
    content = io.BytesIO()
    np.savez_compressed(
        content,
        pixels=np.array([each.pixels for each in prints], dtype="U64"),
        dhash=np.array([each.dhash for each in prints], dtype=np.uint64),
        contrast=np.array([each.thumbnail is not None for each in prints], dtype=bool),
        small=np.array([each.small for each in prints], dtype=bool),
        thumbnail=np.array(
            [blank if each.thumbnail is None else each.thumbnail for each in prints],
            dtype=np.uint8,
        ).reshape(-1, ROWS, COLUMNS),
    )
    atomic_write(path, content.getvalue())


def read_learned(path: Path, split: SplitFile) -> Learned:
    """Read the fingerprints of the images that a network learned from.

    Parameters
    ----------
    path
        The file that `write_learned` wrote.
    split
        The split of the run.

    Raises
    ------
    DataError
        If the file cannot be read, or its images are not those of the split.
    """
    rows = [row for row in split.rows if was_learned(row)]
    try:
        with np.load(path, allow_pickle=False) as held:
            pixels, dhash, contrast, small, thumbnail = (
                held[name] for name in ("pixels", "dhash", "contrast", "small", "thumbnail")
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {_REMEDY}") from error
    if list(pixels) != [row.pixels for row in rows]:
        raise DataError(f"{path} is not of the images of {split.path}: {_REMEDY}")
    prints = [
        Fingerprint(str(digest), int(bits), shown if there else None, small=bool(few))
        for digest, bits, there, few, shown in zip(
            pixels, dhash, contrast, small, thumbnail, strict=True
        )
    ]
    return Learned([row.file for row in rows], [known_patient(row) for row in rows], prints)


_REMEDY = "delete it; pacs-ai evaluate RUN makes it again from the training images"
