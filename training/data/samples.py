"""Samples: images with labels, in a training, a validation and a test split."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

SplitName = Literal["train", "validation", "test"]
TRAIN: SplitName = "train"
VALIDATION: SplitName = "validation"
TEST: SplitName = "test"
SPLITS: tuple[SplitName, ...] = (TRAIN, VALIDATION, TEST)

Box = tuple[float, float, float, float]

_KEY_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with its labels.

    ``patient`` is the unit of splitting. It stays in memory; files use `key` instead. ``frame``
    starts at 0. Pictures have frame 0 and no UIDs (""). ``labels`` are class indices: exactly one
    for softmax, any number for sigmoid. ``crop`` is the part of the image that is the input (None:
    the whole image), ``box`` is the finding in pixels of that part; both are (x0, y0, x1, y1), half
    open. ``groups`` has the known subgroups: modality, maker, sex, age ("<40", "40-59", "60+"),
    site. ``uncertain`` are classes of which it is not known whether they are true (sigmoid).
    ``votes`` are the class indices that several annotators chose.
    """

    path: Path
    patient: str = field(repr=False)
    labels: tuple[int, ...]
    frame: int = 0
    study: str = ""
    series: str = ""
    instance: str = ""
    box: Box | None = None
    crop: tuple[int, int, int, int] | None = None
    groups: Mapping[str, str] = field(default_factory=dict, hash=False)
    votes: tuple[int, ...] = ()
    uncertain: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """The key of the patient in files: 12 hexadecimal digits of the SHA-256."""
        return patient_key(self.patient)

    @property
    def unit(self) -> str:
        """The unit of evaluation: the study, or the image if it has no study."""
        return self.study or self.path.as_posix()


@dataclass(frozen=True, slots=True)
class Dataset:
    """The samples of each split. ``notes`` describe what was left out, and why.

    ``studies`` has all files of each DICOM study, by its UID, with those that have no sample: the
    node gets whole studies. It may lack studies of which each file has a sample.
    """

    classes: tuple[str, ...]
    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]
    notes: tuple[str, ...] = ()
    studies: Mapping[str, tuple[Path, ...]] = field(default_factory=dict, hash=False)

    def split(self, name: SplitName) -> tuple[Sample, ...]:
        """Return the samples of one split."""
        return {TRAIN: self.train, VALIDATION: self.validation, TEST: self.test}[name]

    def certain(self) -> Self:
        """Leave out images with an uncertain label of validation and test, and note how many.

        Figures would count such a label as "not present".
        """
        notes = list(self.notes)
        kept = {}
        for name in (VALIDATION, TEST):
            samples = self.split(name)
            kept[name] = tuple(sample for sample in samples if not sample.uncertain)
            if count := len(samples) - len(kept[name]):
                notes.append(f"{count} images of {name} have an uncertain label: not evaluated")
        return replace(self, validation=kept[VALIDATION], test=kept[TEST], notes=tuple(notes))


def patient_key(patient: str) -> str:
    """Return the key of a patient for files, logs and messages."""
    return hashlib.sha256(patient.encode()).hexdigest()[:_KEY_DIGITS]
