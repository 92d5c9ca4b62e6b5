"""Spaces around codes (CS) mean nothing, before them as little as behind."""

import numpy as np
import pytest

from pacs_ai.dicom.header import read_facts, read_header
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.dicom.scan import scan_instance
from tests.unit.dicom.conftest import Make

CODES = {"Modality": "MR", "BodyPartExamined": "HEAD", "ViewPosition": "AP"}
SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_codes_of_a_header(make: Make, syntax: str) -> None:
    spaced = {keyword: f"  {code} " for keyword, code in CODES.items()}
    path = make(syntax, ImageType=[" DERIVED", "SECONDARY ", " AXIAL"], **spaced)
    header = read_header(path)
    assert (header.modality, header.body_part, header.view_position) == ("MR", "HEAD", "AP")
    assert header.image_type == ("DERIVED", "SECONDARY", "AXIAL")
    assert read_facts(path, CODES) == CODES
    scanned = scan_instance(path)
    assert (scanned.modality, scanned.image_type) == (header.modality, header.image_type)


def test_a_code_of_nothing_but_spaces_is_absent(make: Make) -> None:
    path = make(BodyPartExamined="    ", ImageType="  ")
    assert (read_header(path).body_part, read_header(path).image_type) == ("", ())
    assert read_facts(path, ["BodyPartExamined"]) == {"BodyPartExamined": ""}


def test_a_place_left_empty_between_codes_stays(make: Make) -> None:
    assert read_header(make(ImageType=["ORIGINAL", " ", "AXIAL"])).image_type[1:] == ("", "AXIAL")


def test_names_keep_the_spaces_before_them(make: Make) -> None:
    assert read_facts(make(PatientID=" 7"), ["PatientID"]) == {"PatientID": " 7"}


def test_a_picture_described_with_spaces(make: Make) -> None:
    curve = {"WindowCenter": 10, "WindowWidth": 8, "VOILUTFunction": " LINEAR_EXACT"}
    spaced = read_pixels(make(PhotometricInterpretation=" MONOCHROME1", **curve))
    curve["VOILUTFunction"] = "LINEAR_EXACT"
    plain = read_pixels(make(PhotometricInterpretation="MONOCHROME1", **curve))
    np.testing.assert_array_equal(spaced, plain)
