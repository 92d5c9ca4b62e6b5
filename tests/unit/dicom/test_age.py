import pytest
from pydicom.dataset import Dataset

from pacs_ai.dicom.age import age_in_years
from pacs_ai.dicom.quiet_libraries import quiet


@pytest.mark.parametrize(
    ("values", "years"),
    [
        ({"PatientAge": "045Y"}, 45),
        ({"PatientAge": "006M"}, 0.5),
        ({"PatientAge": "003W"}, 3 * 7 / 365.25),
        ({"PatientAge": "010D"}, 10 / 365.25),
        ({"PatientBirthDate": "20000101", "StudyDate": "20100101"}, 10),
        ({"PatientAge": "old", "PatientBirthDate": "20000101", "StudyDate": "20100101"}, 10),
    ],
)
def test_the_age_is_read_or_counted(values: dict[str, str], years: float) -> None:
    assert age_in_years(made(values)) == pytest.approx(years, abs=0.01)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"PatientAge": ""},
        {"PatientBirthDate": "20000101"},
        {"PatientBirthDate": "20100101", "StudyDate": "20000101"},
        {"PatientBirthDate": "19991332", "StudyDate": "20000101"},
    ],
)
def test_what_is_not_said_or_nonsense_is_unknown(values: dict[str, str]) -> None:
    assert age_in_years(made(values)) is None


def made(values: dict[str, str]) -> Dataset:
    dataset = Dataset()
    with quiet():
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
    return dataset
