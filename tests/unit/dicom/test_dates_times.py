from datetime import date

import pytest

from pacs_ai.dicom.dates_times import date_of, date_text, time_of


@pytest.mark.parametrize("text", ["20230228", "2023.02.28", "20230228 ", "20230228\0"])
def test_a_date_is_read_in_both_forms(text: str) -> None:
    assert date_of(text) == date(2023, 2, 28)


@pytest.mark.parametrize(
    "text",
    [
        *("00000000", "20230230", "99999999", "19001399", "2023", "202302", "2023-02-28", ""),
        *("00010101", "99991231", "17991231"),
        *("2023.0228", "20230228-20230301", "28.02.2023", "٢٠٢٣٠٢٢٨", "202302281", "ABCDEFGH"),
    ],
)
def test_what_no_calendar_has_is_no_date(text: str) -> None:
    assert date_of(text) is None


def test_a_date_of_the_first_millennium_has_all_of_its_digits() -> None:
    assert date_text(date(199, 1, 2)) == "01990102"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        *(("10", "10"), ("1020", "1020"), ("102030", "102030"), ("102030.5 ", "102030.5")),
        *(("102030.123456", "102030.123456"), ("10:20", "1020"), ("10:20:30.5", "102030.5")),
        *(("235960", "235960"), ("000000", "000000")),
    ],
)
def test_a_time_is_read_in_both_forms(text: str, read: str) -> None:
    assert time_of(text) == read


@pytest.mark.parametrize(
    "text",
    [
        *("250000", "246060", "106000", "999999", "102061", "1", "102", "10203", "noon", ""),
        *(
            "10:2030",
            "102030.",
            "102030.1234567",
            "1020.5",
            "-1020",
            "10-11",
            "\uff11\uff10\uff12\uff10",
        ),
    ],
)
def test_what_no_clock_shows_is_no_time(text: str) -> None:
    assert time_of(text) == ""
