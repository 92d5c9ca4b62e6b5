"""A report in older classes: as Comprehensive SR, as Enhanced SR, and as text alone."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, ComprehensiveSRStorage

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.results.sr.older_report import OLDER, as_comprehensive_sr
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    study,
)
from tests.unit.results.sr.report_content import named, report


def test_a_peer_that_refuses_3d_gets_the_same_content_as_another_object(
    images: Images, tmp_path: Path
) -> None:
    three_d = report(study(images([0.9])))
    three_d.save_as(tmp_path / "report.dcm", enforce_file_format=True)
    made, again = (as_comprehensive_sr(tmp_path / "report.dcm") for _ in range(2))
    assert made == again
    flat = pydicom.dcmread(BytesIO(made.content))
    assert check_dataset(flat) == []
    assert flat.SOPClassUID == flat.file_meta.MediaStorageSOPClassUID == ComprehensiveSRStorage
    assert flat.SOPInstanceUID == made.sop_instance_uid != three_d.SOPInstanceUID
    assert flat.SeriesInstanceUID == made.series_instance_uid == three_d.SeriesInstanceUID
    assert flat.ContentSequence == pydicom.dcmread(tmp_path / "report.dcm").ContentSequence


def test_a_plain_report_names_the_plain_report_that_its_peer_has(
    images: Images, tmp_path: Path
) -> None:
    first, second = images([0.9, 0.4])
    earlier = report(study([first]))
    later = report(study([first, second]), predecessor=named(earlier))
    plain = []
    for number, made in enumerate((earlier, later)):
        made.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
        plain.append(as_comprehensive_sr(tmp_path / f"{number}.dcm"))
    found = pydicom.dcmread(BytesIO(plain[1].content)).PredecessorDocumentsSequence[0]
    [series] = found.ReferencedSeriesSequence
    [reference] = series.ReferencedSOPSequence
    assert reference.ReferencedSOPInstanceUID == plain[0].sop_instance_uid
    assert reference.ReferencedSOPClassUID == plain[0].sop_class_uid
    assert series.SeriesInstanceUID == plain[0].series_instance_uid == plain[1].series_instance_uid


def below(item: Dataset) -> Iterator[Dataset]:
    for one in item.get("ContentSequence", ()):
        yield one
        yield from below(one)


def test_text_alone_has_neither_numbers_nor_coordinates(images: Images, tmp_path: Path) -> None:
    made = report(study(images([0.9, 0.4])))
    made.save_as(tmp_path / "report.dcm", enforce_file_format=True)
    content = (tmp_path / "report.dcm").read_bytes()
    for form in OLDER.values():
        content = form.make(content).content
    text = pydicom.dcmread(BytesIO(content))
    assert text.SOPClassUID == text.file_meta.MediaStorageSOPClassUID == BasicTextSRStorage
    assert check_dataset(text) == []
    items = list(below(text))
    assert {one.ValueType for one in items} <= {
        *("CONTAINER", "TEXT", "CODE", "UIDREF", "IMAGE", "COMPOSITE"),
    }
    assert not [one for one in (text, *items) if "ContentTemplateSequence" in one]
    numbers = [one for one in below(made) if one.ValueType == "NUM"]
    texts = {one.get("TextValue") for one in items}
    assert numbers
    for one in numbers:
        assert any(str(one.MeasuredValueSequence[0].NumericValue) in str(said) for said in texts)
    sources = {
        one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for one in below(made)
        if one.ValueType == "IMAGE"
    }
    assert sources == {
        one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for one in items
        if one.ValueType == "IMAGE"
    }
