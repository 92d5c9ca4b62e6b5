from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pacs_ai.results.common.context import MANUFACTURER, MODEL_NAME, local_time, own_result
from tests.unit.results.samples import CONTEXT, model

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("offset", "expected"),
    [("+0530", "17:30"), ("-0330", "08:30"), ("+0000", "12:00"), ("+1400", "02:00")],
)
def test_time_is_expressed_in_the_zone_of_the_source(offset: str, expected: str) -> None:
    local = local_time(NOON, offset)
    assert local.strftime("%H:%M") == expected
    assert local == NOON


@pytest.mark.parametrize("offset", ["CET", "+01", "0100+", "+9999", "+01:0"])
def test_an_offset_that_makes_no_sense_counts_as_utc(offset: str) -> None:
    assert local_time(NOON, offset).utcoffset() == timedelta(0)


def test_without_an_offset_the_machine_s_own_zone_holds() -> None:
    assert local_time(NOON, "").utcoffset() == NOON.astimezone().utcoffset()


def test_an_own_result_is_known_by_maker_and_model_together() -> None:
    assert own_result(MANUFACTURER, MODEL_NAME)
    assert own_result(f"{MANUFACTURER} ", MODEL_NAME)
    assert not own_result(MANUFACTURER, "another")
    assert not own_result("another", MODEL_NAME)
    assert not own_result("", "")


def test_everything_that_shapes_a_result_is_in_its_key() -> None:
    key = CONTEXT.series_key(model(), "report", "1.2")
    others = [
        replace(CONTEXT, site="second").series_key(model(), "report", "1.2"),
        replace(CONTEXT, settings_hash="other").series_key(model(), "report", "1.2"),
        CONTEXT.series_key(replace(model(), name="x"), "report", "1.2"),
        CONTEXT.series_key(replace(model(), version="x"), "report", "1.2"),
        CONTEXT.series_key(replace(model(), sha256="x"), "report", "1.2"),
        CONTEXT.series_key(replace(model(), runtime="x"), "report", "1.2"),
        CONTEXT.series_key(replace(model(), probe_sha256="x"), "report", "1.2"),
        CONTEXT.series_key(model(), "capture", "1.2"),
        CONTEXT.series_key(model(), "report", "1.3"),
    ]
    assert len({key, *others}) == len(others) + 1
