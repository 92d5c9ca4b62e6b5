"""When an image was made, as `infer` dates its results: a moment that every format can write."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydicom
import pytest

from pacs_ai.phantom import write_phantom_study
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.evidence import moment_of_source

DATES = ("InstanceCreationDate", "ContentDate", "AcquisitionDate", "SeriesDate", "StudyDate")
CONTEXT = ResultContext("", "1.2", "1", datetime.fromtimestamp(0, UTC), "", like_images=True)
OFFSETS = ("", "-1200", "+1400", "+0100")


@pytest.fixture(params=["UTC", "Europe/Amsterdam", "Pacific/Kiritimati", "Asia/Kolkata"])
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def image(folder: Path, day: str, offset: str) -> Path:
    study = write_phantom_study(folder, "CR", seed=1, lesion=False, columns=64)
    path = study.images[0].path
    dataset = pydicom.dcmread(path)
    for keyword in DATES:
        setattr(dataset, keyword, day)
    dataset.ContentTime = "235959.9"
    if offset:
        dataset.TimezoneOffsetFromUTC = offset
    dataset.save_as(path)
    return path


@pytest.mark.usefixtures("_zone")
@pytest.mark.parametrize("day", ["00010101", "18900102", "19000101", "99991231", "20240229"])
def test_every_date_of_a_calendar_gives_a_moment(day: str, tmp_path: Path) -> None:
    for offset in OFFSETS:
        moment = moment_of_source(image(tmp_path, day, offset))
        made = replace(CONTEXT, created_at=moment).made_at(offset)
        whole = (made.utcoffset() or timedelta()).total_seconds() / 60
        assert whole == int(whole)  # an offset of hours and minutes
        assert re.fullmatch(r"\d{14}[+-]\d{4}", made.strftime("%Y%m%d%H%M%S%z"))
        assert (made.strftime("%Y%m%d") == day) is (day == "20240229") or made.year == 1970
        assert made.year == 2024 or made == datetime.fromtimestamp(0, UTC)
