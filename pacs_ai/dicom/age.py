"""How old a patient was at the examination."""

import re
from datetime import date

from pydicom.dataset import Dataset

from pacs_ai.dicom.dates_times import date_of
from pacs_ai.dicom.reading import text

_AGE = re.compile(r"(\d{1,3})([DWMY])")
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
_DAYS_IN_YEAR = 365.25
_MIDDLE, _OLD = 40, 60


def age_in_years(dataset: Dataset) -> float | None:
    """Read the age, from Patient's Age or from the dates of birth and examination.

    Parameters
    ----------
    dataset
        With Patient's Age (0010,1010), Patient's Birth Date (0010,0030), Study Date (0008,0020),
        as far as they are there.

    Returns
    -------
    float or None
        Years; None if the data set does not say, or says nonsense.

    Notes
    -----
    Age String, PS3.5 Section 6.2: three digits and D, W, M or Y.
    """
    if found := _AGE.fullmatch(text(dataset, "PatientAge").strip()):
        return int(found[1]) * _YEARS[found[2]]
    born, seen = _day(dataset, "PatientBirthDate"), _day(dataset, "StudyDate")
    if born is None or seen is None or born > seen:
        return None
    return (seen - born).days / _DAYS_IN_YEAR


def age_group(years: float | None) -> str:
    """Return the group of an age: ``<40``, ``40-59``, ``60+``; "" if it is not known."""
    if years is None:
        return ""
    return "<40" if years < _MIDDLE else "40-59" if years < _OLD else "60+"


def _day(dataset: Dataset, keyword: str) -> date | None:
    return date_of(text(dataset, keyword))
