"""Texts and numbers on the patient and the device that an option may retain."""

import re
from collections.abc import Iterator

from pydicom.dataset import Dataset

from pacs_ai.deidentify.kept import DEVICE
from pacs_ai.dicom.reading import numbers, text

_AGE = re.compile(r"[0-9]{3}[DWMY]")
_OLDEST = "090Y"
"""Older people are few: their age may name them, and is written as this one."""
_LARGEST = {"PatientSize": 3.0, "PatientWeight": 500.0}
"""Metres and kilograms."""
_LONGEST = 16


def retained_texts(source: Dataset) -> Iterator[tuple[str, object]]:
    """Yield keyword and value of what a data set says on patient and device.

    Anything else than a sex, an age, a size and a weight in these elements is left out.
    """
    sex = text(source, "PatientSex").strip()
    if sex in ("M", "F", "O"):
        yield "PatientSex", sex
    age = text(source, "PatientAge").strip()
    if _AGE.fullmatch(age):
        yield "PatientAge", _OLDEST if age.endswith("Y") and age > _OLDEST else age
    for keyword, largest in _LARGEST.items():
        values = numbers(source, keyword)
        if len(values) == 1 and 0 < values[0] < largest:
            yield keyword, f"{values[0]:.4g}"
    for keyword in DEVICE:
        shown = "".join(
            sign if sign.isascii() and sign.isprintable() else " " for sign in text(source, keyword)
        )
        if shown.strip():
            yield keyword, shown.strip()[:_LONGEST]
