"""No identifier is left of those seeded into every place of a file that can hold one."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from pacs_ai.deidentify import kept
from pacs_ai.deidentify.instance import deidentify
from pacs_ai.deidentify.profile import Profile, Retain, listed
from pacs_ai.deidentify.pseudonyms import Pseudonyms
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.dicom.writing import part10
from pacs_ai.errors import DataError
from pacs_ai.phantom.study import MODALITIES
from tests.unit.deidentify.seeding import Seeds, seed_file

PSEUDONYMS = Pseudonyms(b"a secret of tests")
DATES = Profile(frozenset({Retain.DATES, Retain.PATIENT}))


def copied(path: Path, profile: Profile = Profile()) -> bytes:  # noqa: B008 - frozen
    return part10(deidentify(path, "patient", profile, PSEUDONYMS))


@pytest.mark.parametrize("profile", [Profile(), DATES], ids=["basic", "dates"])
@pytest.mark.parametrize("modality", MODALITIES)
def test_nothing_is_left(
    modality: str, profile: Profile, phantoms: dict[str, Path], tmp_path: Path
) -> None:
    seeds = Seeds()
    target = tmp_path / "seeded.dcm"
    seed_file(phantoms[modality], target, seeds)
    assert len(seeds.found_in(target.read_bytes())) == len(set(seeds.tokens)) > 6000
    copy = tmp_path / "copy.dcm"
    copy.write_bytes(copied(target, profile))
    assert seeds.found_in(copy.read_bytes()) == []
    assert np.array_equal(read_pixels(copy), read_pixels(phantoms[modality]))
    assert (pydicom.dcmread(copy).get("StudyDate") == "") == (profile == Profile())


@pytest.mark.parametrize(
    "keyword", [one for one in kept.NUMBERS if dictionary_VR(one) in ("DS", "IS")]
)
def test_a_number_of_a_person_is_no_number_of_an_image(
    keyword: str, phantoms: dict[str, Path], tmp_path: Path
) -> None:
    dataset = pydicom.dcmread(phantoms["CT"])
    dataset.add_new(
        keyword,
        dictionary_VR(keyword),
        "7391284650" if dictionary_VR(keyword) == "DS" else "739128465",
    )
    dataset.save_as(tmp_path / "number.dcm")
    with pytest.raises(DataError, match=keyword):
        copied(tmp_path / "number.dcm")


def test_every_list_keeps_to_the_table_of_the_standard() -> None:
    """What stays without an option is not listed, or its UID is replaced."""
    names = (*kept.TERMS, *kept.COUNTS, *kept.NUMBERS, *kept.WORDS, *kept.SEQUENCES, *kept.CODES)
    assert [name for name in names if name in listed()] == []
    assert {listed()[name] for name in kept.UIDS} == {"U_TAGS"}
    assert len(listed()) > 600
    assert not any(Profile().keeps(name) for name in (*kept.DATES, *kept.PATIENT, *kept.DEVICE))


def test_names_in_any_character_set(phantoms: dict[str, Path], tmp_path: Path) -> None:
    dataset = pydicom.dcmread(phantoms["CT"])
    for charset, name in (
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 144", "\u041b\u044e\u043a\u0441^\u0411\u0443\u0440\u0433"),
    ):
        dataset.SpecificCharacterSet = charset
        dataset.PatientName = dataset.OtherPatientNames = dataset.Manufacturer = name
        dataset.RequestAttributesSequence = Sequence([Dataset()])
        dataset.RequestAttributesSequence[0].RequestedProcedureDescription = name
        dataset.save_as(tmp_path / "named.dcm")
        copy = copied(tmp_path / "named.dcm", Profile(frozenset({Retain.DATES, Retain.PATIENT})))
        for part in name.replace("=", "^").split("^"):
            for encoding in ("utf-8", "iso2022_jp", "gb18030", "iso8859_5", "utf-16-le"):
                try:
                    sought = part.encode(encoding)
                except UnicodeEncodeError:
                    continue
                assert sought not in copy, (part, encoding)
