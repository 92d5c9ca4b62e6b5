"""Codes of SNOMED CT, in the code, in shipped bundles and in recipes, against DICOM's tables.

pydicom has the concepts that the standard uses, and the mapping of PS3.16 from the retired scheme
SRT. A code that neither knows, or that the mapping has for something retired, is not to be shipped.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping

_IN_PYTHON = re.compile(r'"(\d{6,18})",\s*"SCT",?\s*"([^"]+)"')
_FROM_RETIRED = mapping["SCT"]
_MEANINGS: dict[str, set[str]] = {}
for _named in concepts["SCT"].values():
    for _value, (_meaning, _) in _named.items():
        _MEANINGS.setdefault(_value, set()).add(_meaning)


def coded(root: Path) -> Iterator[tuple[str, str, str]]:
    """Where, value and meaning of each code."""
    for folder in ("pacs_ai", "training"):
        for path in sorted((root / folder).rglob("*.py")):
            for value, meaning in _IN_PYTHON.findall(path.read_text("utf-8")):
                yield path.name, value, meaning
        for path in sorted((root / folder).rglob("*.toml")):
            for found in _tables(tomllib.loads(path.read_text("utf-8"))):
                if found.get("scheme") == "SCT":
                    yield path.name, str(found["value"]), str(found["meaning"])


def _tables(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from _tables(below)
    elif isinstance(value, list):
        for below in value:
            yield from _tables(below)


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


def problem(value: str, meaning: str) -> str:
    """Say what is wrong with a code; "" if it is one of DICOM's and means the same."""
    if value not in _MEANINGS or value not in _FROM_RETIRED:
        return "not in DICOM's tables"
    same = [words(meaning) <= words(known) for known in _MEANINGS[value]]
    return "" if any(same) else f"DICOM calls it {sorted(_MEANINGS[value])}"


def test_every_code_is_one_of_dicoms_and_means_what_it_says(root: Path) -> None:
    found = list(coded(root))
    assert len({value for _, value, _ in found}) >= 10
    assert [(*one, said) for one in found if (said := problem(*one[1:]))] == []


@pytest.mark.parametrize(
    ("value", "meaning"), [("272480006", "Postero-anterior"), ("52988006", "Fracture")]
)
def test_a_code_that_is_none_of_dicoms_or_means_something_else_is_noticed(
    value: str, meaning: str
) -> None:
    assert problem(value, meaning)
