"""Histories of patients, drawn at random, with what makes an earlier study the right one or not."""

import random
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date, timedelta

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

TODAY = date(2026, 3, 1)
MONTHS = 36
PARTS = {"CHEST": "CHEST", "CHEST ": "CHEST", "KNEE": "KNEE", "": ""}
"""As written, and what it means."""

MODALITIES = {"CR": "plain film", "DX": "plain film", "CT": "CT"}
SIDES = {"": "", "U": "", "L": "left", "R": "right", "B": "both"}

SAME = ("same", "same", "same", "no name", "merged into this one")
OTHERS = (
    "another birth date",
    "another issuer",
    "another number",
    "another name",
    "merged into another one",
    "not decided",
)
FATES = ("analysed",) * 6 + ("rejected", "withdrawn", "deleted", "other version", "not analysed")


@dataclass(frozen=True)
class Exam:
    """One study: when, of what, of whom, and what became of it."""

    day: date
    time: str
    part: str
    side: str
    modality: str
    person: str
    fate: str

    def image(self, pattern: Dataset, number: int) -> Dataset:
        """Make its image, as it arrives first."""
        made = deepcopy(pattern)
        made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
        made.SOPInstanceUID = generate_uid()
        made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
        made.StudyDate, made.StudyTime = self.day.strftime("%Y%m%d"), self.time
        made.BodyPartExamined, made.Laterality, made.Modality = self.part, self.side, self.modality
        made.PatientID, made.IssuerOfPatientID = f"P{number}", "HOSPITAL"
        made.PatientName, made.PatientBirthDate, made.PatientSex = "Doe^Jo", "19700102", "F"
        for keyword, value in _CHANGES.get(self.person, {}).items():
            setattr(made, keyword, value.format(number=number))
        return made

    def renamed(self, image: Dataset, number: int) -> Dataset | None:
        """Return the image as it arrives again after a merge; None if there was none."""
        if self.person not in ("merged into this one", "merged into another one", "not decided"):
            return None
        again = deepcopy(image)
        again.PatientID = f"Q{number}" if self.person == "merged into another one" else f"P{number}"
        return again


_CHANGES = {
    "no name": {"PatientName": ""},
    "another birth date": {"PatientBirthDate": "19800102"},
    "another issuer": {"IssuerOfPatientID": "CLINIC"},
    "another number": {"PatientID": "R{number}"},
    "another name": {"PatientName": "Roe^Jo"},
    "merged into this one": {"PatientID": "Q{number}"},
    "not decided": {"PatientID": "Q{number}"},
}


def history(seed: int) -> tuple[list[Exam], Exam]:
    """Draw earlier and other studies of a patient, and the one that is compared."""
    draw = random.Random(seed)  # noqa: S311 - histories, no secrets
    now = Exam(
        TODAY,
        "120000",
        draw.choice(["CHEST", "CHEST", "KNEE", ""]),
        draw.choice(["", "", "L", "R"]),
        draw.choice(["DX", "DX", "CT"]),
        "same",
        "analysed",
    )
    return [_other(draw, now, number) for number in range(draw.randint(3, 6))], now


def _other(draw: random.Random, now: Exam, number: int) -> Exam:
    """Draw a study: like the one of today, but for one or two things at most."""
    made = replace(
        now,
        day=TODAY - timedelta(days=draw.randint(1, 900)),
        time=f"08{number:02}00",
        person=draw.choice(SAME),
        fate="analysed",
    )
    for _ in range(draw.choice([0, 1, 1, 2, 2, 3])):
        made = replace(made, **_change(draw))
    return made


def _change(draw: random.Random) -> dict[str, object]:
    changes: list[dict[str, object]] = [
        {"part": draw.choice(list(PARTS))},
        {"side": draw.choice(list(SIDES))},
        {"modality": draw.choice(list(MODALITIES))},
        {"day": draw.choice([TODAY, TODAY, TODAY + timedelta(days=9), date(2022, 12, 31)])},
        {"person": draw.choice(OTHERS)},
        {"fate": draw.choice(FATES)},
    ]
    return draw.choice(changes)


def right_one(others: list[Exam], now: Exam) -> Exam | None:
    """Say which study is the prior: the definition, without anything of the node."""
    fitting = [
        one
        for one in others
        if date(2023, 3, 1) <= one.day < now.day
        and one.person in SAME
        and one.fate == "analysed"
        and PARTS[one.part] == PARTS[now.part]
        and SIDES[one.side] == SIDES[now.side]
        and MODALITIES[one.modality] == MODALITIES[now.modality]
    ]
    return max(fitting, key=lambda one: (one.day, one.time), default=None)
