"""Objects that are no images to analyse: named for what they are, and told where a rule asks."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    BasicTextSRStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    RTDoseStorage,
    RTPlanStorage,
    SecondaryCaptureImageStorage,
    TwelveLeadECGWaveformStorage,
    UltrasoundMultiFrameImageStorage,
    VideoEndoscopicImageStorage,
)

from pacs_ai.clock import ManualClock
from pacs_ai.config import Rule
from pacs_ai.dicom.other_objects import other_than_image
from pacs_ai.domain import JobState, ResultKind, StudyState
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.results.common.context import MANUFACTURER, MODEL_NAME
from tests.unit.flow.analysed import Patient, on_a_node

Send = Callable[..., StoreAnswer]

ASKS = Rule(
    name="asks",
    model="demo",
    send_to=("archive",),
    results=(ResultKind.REPORT, ResultKind.HL7),
    when_not_analysable="report",
)
SILENT = ASKS.model_copy(update={"name": "silent", "when_not_analysable": "nothing"})


_numbers = itertools.count(1)


def plain(sop_class: str, modality: str, **values: object) -> Dataset:
    """An object of a class, as small as it can be sent."""
    made = Dataset()
    made.SOPClassUID = sop_class
    made.SOPInstanceUID = f"1.2.9.{next(_numbers)}"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.9", "1.2.9.1"
    made.PatientID, made.PatientName = "P1", "Doe^Jane"
    made.Modality = modality
    for keyword, value in values.items():
        setattr(made, keyword, value)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def picture(sop_class: str, modality: str, **values: object) -> Dataset:
    """The same with pixels."""
    made = plain(sop_class, modality, Rows=16, Columns=16, SamplesPerPixel=1, **values)
    made.PhotometricInterpretation = "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation = 15, 0
    made.PixelData = bytes(512)
    made["PixelData"].VR = "OW"
    return made


def video(sop_class: str) -> Dataset:
    made = picture(sop_class, "US" if sop_class == UltrasoundMultiFrameImageStorage else "ES")
    made.PixelData = encapsulate([b"\0\0\1\xb3" * 4])
    made["PixelData"].VR = "OB"
    made.file_meta.TransferSyntaxUID = MPEG2MPML
    return made


SCREENSHOT = {"ImageType": ["DERIVED", "SECONDARY"]}
OBJECTS = {
    "RT Dose": picture(RTDoseStorage, "RTDOSE"),
    "RT Plan": plain(RTPlanStorage, "RTPLAN"),
    "secondary capture": picture(SecondaryCaptureImageStorage, "CT", **SCREENSHOT),
    "Grayscale Softcopy Presentation State": plain(GrayscaleSoftcopyPresentationStateStorage, "PR"),
    "Encapsulated PDF": plain(EncapsulatedPDFStorage, "DOC"),
    "Basic Text SR": plain(BasicTextSRStorage, "SR"),
    "12-lead ECG Waveform": plain(TwelveLeadECGWaveformStorage, "ECG"),
    "video": video(VideoEndoscopicImageStorage),
    "no pixels": plain("1.2.840.10008.5.1.4.1.1.2", "CT"),
}


@pytest.fixture
def node(context: FlowContext, clock: ManualClock) -> Callable[[Rule], Patient]:
    return lambda rule: on_a_node(context, clock, rule)


@pytest.mark.parametrize("kind", OBJECTS)
def test_it_is_named_and_the_archive_hears_where_a_rule_asks(
    kind: str, node: Callable[[Rule], Patient], send: Send
) -> None:
    assert send(OBJECTS[kind]).status == 0x0000
    patient = node(ASKS)
    patient.route()
    assert patient.study().reason == (
        f"nothing to analyse: no image among the instances (1 {kind})"
    )
    job = patient.analyse()
    assert (job.state, job.error_code) == (JobState.REJECTED, "NO_FITTING_SERIES")
    assert f"(1 {kind})" in job.error_text
    assert [one.kind for one in patient.results()] == ["report", "hl7"]
    assert [one.destination for one in patient.deliveries()] == ["archive"]
    report = pydicom.dcmread(patient.context.spool.path_of(patient.results()[0].path))
    said = report.ContentSequence[-2].ContentSequence[0].TextValue
    assert said.startswith("Not analysable: no suitable image")
    assert f"(1 {kind})" in said
    assert (report.PatientID, report.StudyInstanceUID) == ("P1", "1.2.9")


@pytest.mark.parametrize("kind", OBJECTS)
def test_nobody_hears_where_no_rule_asks(
    kind: str, node: Callable[[Rule], Patient], send: Send
) -> None:
    assert send(OBJECTS[kind]).status == 0x0000
    patient = node(SILENT)
    patient.route()
    assert patient.study().state == StudyState.ROUTED
    assert f"(1 {kind})" in patient.study().reason
    assert patient.jobs() == []


def test_a_rule_asks_by_what_the_objects_say_of_themselves(
    node: Callable[[Rule], Patient], send: Send
) -> None:
    assert send(OBJECTS["RT Dose"]).status == 0x0000
    patient = node(Rule.model_validate(ASKS.model_dump() | {"when": {"Modality": "CT"}}))
    patient.route()
    assert patient.jobs() == []


def test_results_of_ours_are_nothing_to_report_on(
    node: Callable[[Rule], Patient], send: Send
) -> None:
    ours = plain(BasicTextSRStorage, "SR", Manufacturer=MANUFACTURER)
    ours.ManufacturerModelName = MODEL_NAME
    assert send(ours).status == 0x0000
    patient = node(ASKS)
    patient.route()
    assert patient.jobs() == []


def test_beside_an_image_they_change_nothing(
    node: Callable[[Rule], Patient], send: Send, ct: Dataset
) -> None:
    ct.StudyInstanceUID, ct.PatientID, ct.PatientName = "1.2.9", "P1", "Doe^Jane"
    for each in (ct, *OBJECTS.values()):
        assert send(each).status == 0x0000
    patient = node(ASKS)
    patient.route()
    job = patient.analyse()
    assert job.state == JobState.SUCCEEDED
    assert "analysed" not in job.summary, "nothing was left out"


@pytest.mark.parametrize(
    ("name", "kind"), [("CT_small.dcm", ""), ("rtdose.dcm", "RT Dose"), ("rtplan.dcm", "RT Plan")]
)
def test_real_files(name: str, kind: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    source = pydicom.dcmread(Path(path), stop_before_pixels=True)
    syntax = str(source.file_meta.TransferSyntaxUID)
    assert other_than_image(str(source.SOPClassUID), syntax) == kind


@pytest.mark.parametrize("syntax", ["100", "101", "102.1", "106", "108"])
def test_a_video_under_the_class_of_an_image(syntax: str) -> None:
    video_syntax = f"1.2.840.10008.1.2.4.{syntax}"
    assert other_than_image(UltrasoundMultiFrameImageStorage, video_syntax) == "video"


@pytest.mark.parametrize("syntax", ["50", "51", "70", "90", "110", "112", "201"])
def test_an_image_stays_one(syntax: str) -> None:
    image_syntax = f"1.2.840.10008.1.2.4.{syntax}"
    assert other_than_image(UltrasoundMultiFrameImageStorage, image_syntax) == ""
    assert other_than_image("1.3.6.1.4.1.9999.1", image_syntax) == ""
    assert other_than_image("1.2.840.10008.5.1.4.1.1.6.2", image_syntax) == ""
