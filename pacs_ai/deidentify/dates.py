"""Dates and times that an option retains, all of a patient earlier by the same time.

PS3.15 Section E.3.6, Retain Longitudinal Temporal Information With Modified Dates Option.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from pydicom.dataset import Dataset

from pacs_ai.deidentify.kept import DATES, MOMENTS
from pacs_ai.dicom.dates_times import moment_of, time_of
from pacs_ai.dicom.reading import text

_NOON = "1200"
"""The time of day of a date that stands alone: it moves by whole days, half a day more or less."""
_MOMENT = re.compile(r"(\d{8})(\d{0,6}(?:\.\d{1,6})?)(?:[+-]\d{4})?")


def shifted(dataset: Dataset, earlier: timedelta) -> Iterator[tuple[str, str]]:
    """Yield keyword and value of the dates and times of a data set, or of an item.

    What is no date is left out, and so are a time without a date and parts of a second.

    Parameters
    ----------
    earlier
        By how much.
    """
    for keyword in DATES:
        of_day = keyword.removesuffix("Date") + "Time"
        shown = time_of(text(dataset, of_day))
        moment = moment_of(text(dataset, keyword), shown or _NOON)
        if moment is None:
            continue
        moment = _earlier(moment, earlier)
        yield keyword, f"{moment:%Y%m%d}"
        if shown:
            yield of_day, f"{moment:%H%M%S}"
    for keyword in MOMENTS:
        found = _MOMENT.fullmatch(text(dataset, keyword).strip())
        moment = moment_of(found[1], found[2]) if found else None
        if moment is not None:
            yield keyword, f"{_earlier(moment, earlier):%Y%m%d%H%M%S}"


def _earlier(moment: datetime, earlier: timedelta) -> datetime:
    return (moment - earlier).replace(microsecond=0)
