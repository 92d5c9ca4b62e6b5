"""What there is to learn from: images with labels, in splits that share no patient."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SplitName = Literal["train", "validation", "test"]
TRAIN: SplitName = "train"
VALIDATION: SplitName = "validation"
TEST: SplitName = "test"
SPLITS: tuple[SplitName, ...] = (TRAIN, VALIDATION, TEST)

Box = tuple[float, float, float, float]

_KEY_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Sample:
    """One image to learn from.

    ``patient`` is the unit of splitting and stays in memory: everywhere else `key` stands for it.
    ``frame`` counts from 0 and is 0 for pictures, which have no UIDs either (""). ``labels`` are
    indices of classes: exactly one, unless the head is sigmoid. ``crop`` is the part of the image
    that is the input (None: all of it), ``box`` the finding in pixels of that part, both as
    (x0, y0, x1, y1), half open. ``groups`` says to which subgroup the image belongs: modality,
    maker, sex, age ("<40", "40-59", "60+"), site; what is not known is absent. ``votes`` are the
    classes that several annotators gave.
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

    @property
    def key(self) -> str:
        """The patient's name outside of memory: 12 hexadecimal digits of its SHA-256."""
        return patient_key(self.patient)

    @property
    def unit(self) -> str:
        """What is judged as one: the study, or the image itself where there is none."""
        return self.study or self.path.as_posix()


@dataclass(frozen=True, slots=True)
class Dataset:
    """The samples of each split. ``notes`` say what was left out, and why."""

    classes: tuple[str, ...]
    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]
    notes: tuple[str, ...] = ()

    def split(self, name: SplitName) -> tuple[Sample, ...]:
        """Return the samples of one split."""
        return {TRAIN: self.train, VALIDATION: self.validation, TEST: self.test}[name]


def patient_key(patient: str) -> str:
    """Make the name that stands for a patient in files, logs and messages."""
    return hashlib.sha256(patient.encode()).hexdigest()[:_KEY_DIGITS]
