"""What is found in a folder: results by kind, images, and what is neither."""

import os
from pathlib import Path

import pytest
from pydicom import dcmread

from pacs_ai.air.files import read_folder
from pacs_ai.air.objects import Kind
from pacs_ai.domain import ResultKind
from pacs_ai.errors import ConfigError
from pacs_ai.results.build import build_refusals
from tests.unit.air.result_folder import Spoiled, faults
from tests.unit.results.samples import CONTEXT, ct_slice, image, radiograph, refusal, save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with each kind of result, and images below it."""
    made = Spoiled()
    for kind, dataset in made.by_kind.items():
        dataset.save_as(tmp_path / f"{kind}.dcm")
    (tmp_path / "images").mkdir()
    for number, header in enumerate(made.images):
        header.save_as(tmp_path / "images" / str(number))
    return tmp_path


def test_each_object_is_told_by_its_kind(folder: Path) -> None:
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    found = read_folder([folder])
    assert {one.path: one.kind for one in found.objects} == {
        "capture.dcm": Kind.PICTURE,
        "key_object.dcm": Kind.KEY_OBJECTS,
        "label_map.dcm": Kind.SEGMENTATION,
        "map.dcm": Kind.MAP,
        "pdf.dcm": Kind.DOCUMENT,
        "region.dcm": Kind.REPORT,
        "report.dcm": Kind.REPORT,
        "seg.dcm": Kind.SEGMENTATION,
    }
    assert [image.path for image in found.images] == ["images/0", "images/1"]
    assert (found.other, found.damaged, found.foreign) == ([], [], [])
    assert faults([folder]) == []


def test_a_file_and_its_folder_are_read_once(folder: Path) -> None:
    assert len(read_folder([folder, folder / "seg.dcm"]).objects) == len(
        read_folder([folder]).objects
    )


def test_other_files_are_told_apart(folder: Path) -> None:
    (folder / "fhir-1.json").write_text("{}")
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "cut.dcm").write_bytes((folder / "report.dcm").read_bytes()[:700])
    (folder / "nameless.dcm").write_bytes(bytes(128) + b"DICM")
    dose = ct_slice(SOPClassUID="1.2.840.10008.5.1.4.1.1.481.2")
    save(dose, folder / "dose.dcm")
    note = dcmread(folder / "key_object.dcm")
    note.ConceptNameCodeSequence[0].CodeValue = "113001"
    note.save_as(folder / "note.dcm")
    found = read_folder([folder])
    assert found.foreign == ["empty.dcm", "fhir-1.json"]
    assert found.other == [("dose.dcm", "RT Dose"), ("note.dcm", "Rejection Note")]
    assert [path for path, _ in found.damaged] == ["cut.dcm", "nameless.dcm"]
    assert "SOP Class UID" in found.damaged[1][1]


def test_captures_of_films_are_images(folder: Path) -> None:
    film = radiograph(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", ImageType=["ORIGINAL", "PRIMARY"])
    save(film, folder / "film.dcm")
    assert "film.dcm" in [image.path for image in read_folder([folder]).images]


def test_a_report_without_a_template_is_told_by_its_title(folder: Path) -> None:
    report = dcmread(folder / "report.dcm")
    del report.ContentTemplateSequence
    report.save_as(folder / "report.dcm")
    report.ConceptNameCodeSequence[0].CodeValue = "18748-4"
    report.SOPInstanceUID = "1.2.3.4.5.6.7"
    report.save_as(folder / "text.dcm")
    kinds = {one.path: one.kind for one in read_folder([folder]).objects}
    assert kinds["report.dcm"] is Kind.REPORT
    assert kinds["text.dcm"] is Kind.OTHER_REPORT


def test_a_refusal_is_no_measurement_report_and_not_wrong(tmp_path: Path) -> None:
    out = tmp_path / "results"
    out.mkdir()
    seen = image(save(ct_slice(), tmp_path / "source.dcm"), (0.1, 0.9))
    for one in build_refusals(refusal([seen]), [ResultKind.REPORT, ResultKind.PDF], CONTEXT):
        one.write(out / f"{one.kind}.dcm")
    said = faults([out])
    assert [line.split(":")[0] for line in said] == [
        "advised report.dcm findings-in-measurement-report"
    ]


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere does not exist"):
        read_folder([tmp_path / "nowhere"])


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_folder([tmp_path]).foreign == []
    with pytest.raises(ConfigError, match="pipe is neither a file nor a folder"):
        read_folder([tmp_path / "pipe"])
