"""HL7 and FHIR as the libraries of the field read them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Message
from hl7apy.parser import parse_message
from pydicom.dataset import Dataset

from pacs_ai.domain import ClassSpec, Code, Reservation, ResultKind, StudyPrediction
from pacs_ai.model.predict import aggregate
from pacs_ai.results.build import BuiltDocument, build_refusals, build_results
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    CONTEXT,
    FOURTEEN_CLASSES,
    LESION,
    NO_FINDING,
    ct_slice,
    grey,
    image,
    model,
    refusal,
    save,
    study,
)
from tests.unit.results.sr.report_content import (
    decision,
    finding,
    groups,
    percent,
    report,
)

NAME = "Yamada^Tarou=山田^太郎=やまだ^たろう"


def document(prediction: StudyPrediction, kind: ResultKind) -> BuiltDocument:
    [made] = build_results(prediction, [kind], CONTEXT, grey)
    assert isinstance(made, BuiltDocument)
    assert (made.sop_class_uid, made.series_instance_uid) == ("", "")
    return made


def message(prediction: StudyPrediction) -> Message:
    return read(document(prediction, ResultKind.HL7).encode())


def read(content: bytes) -> Message:
    parsed = parse_message(content.decode("utf-8"), validation_level=VALIDATION_LEVEL.STRICT)
    assert parsed.validate()
    return parsed


def segments(parsed: Message, name: str) -> list[list[str]]:
    lines = parsed.to_er7().split("\r")
    return [line.split("|") for line in lines if line.startswith(name + "|")]


def bundle(prediction: StudyPrediction) -> dict[str, Any]:
    return parsed_bundle(document(prediction, ResultKind.FHIR).encode())


def parsed_bundle(content: bytes) -> dict[str, Any]:
    Bundle.model_validate_json(content)
    found: dict[str, Any] = json.loads(content)
    return found


def resources(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    all_of_them = [entry["resource"] for entry in found["entry"]]
    return [one for one in all_of_them if one["resourceType"] == kind]


def test_a_message_states_each_class_with_its_decision(images: Images) -> None:
    parsed = message(study(images([0.8125])))
    numbers = [obx for obx in segments(parsed, "OBX") if obx[2] == "NM"]
    assert [(obx[3], obx[5], obx[6], obx[8], obx[11]) for obx in numbers] == [
        ("52988006^Lesion probability^SCT", "81.25", "%^percent^UCUM", "A", "R"),
        ("NOFIND^No finding probability^99PACSAI", "18.75", "%^percent^UCUM", "", "R"),
    ]
    said = [obx[5] for obx in segments(parsed, "OBX") if obx[2] in ("ST", "TX")]
    looked = "1 of 1 image analysed."
    assert said[1:] == ["present", f"Lesion: present.~{looked}~AI research - not for clinical use."]
    [[*_, study_uid]] = [obx[:6] for obx in segments(parsed, "OBX") if obx[2] == "HD"]
    assert study_uid == "1.2.3"


def test_a_message_is_utf_8_and_names_the_patient_in_every_script(images: Images) -> None:
    content = document(
        study(images([0.9], PatientName=NAME, SpecificCharacterSet="ISO_IR 192")), ResultKind.HL7
    ).encode()
    [pid] = segments(read(content), "PID")
    assert pid[5] == "Yamada^Tarou^^^^^L^A~山田^太郎^^^^^L^I~やまだ^たろう^^^^^L^P"
    assert pid[3] == "ID1^^^^PI"
    assert (pid[7], pid[8]) == ("19700102", "F")
    [msh] = segments(read(content), "MSH")
    assert (msh[8], msh[11], msh[17]) == ("ORU^R01^ORU_R01", "2.5.1", "UNICODE UTF-8")


def test_a_patient_without_a_name_does_not_make_a_message_invalid(images: Images) -> None:
    [pid] = segments(message(study(images([0.9], PatientName="", PatientID=""))), "PID")
    assert pid[5] == "^^^^^^U"


def test_nothing_is_longer_than_its_field(tmp_path: Path) -> None:
    """Fourteen findings, long names, and an issuer that is no short name."""
    long = "x" * 64
    specs = tuple(replace(one, name=f"{one.name} {'y' * 30}") for one in FOURTEEN_CLASSES)
    identity = replace(model(specs, "sigmoid"), name=long, version=long, manufacturer=long)
    source = ct_slice(IssuerOfPatientID="Hospital of a long name")
    seen = image(save(source, tmp_path / "1.dcm"), [0.9] * 14)
    parsed = message(study([seen], identity))
    [pid] = segments(parsed, "PID")
    assert pid[3] == "ID1^^^&Hospital of a long name&L^PI"
    said = segments(parsed, "OBX")[-1][5]
    assert all(title in " ".join(said.split("~")) for title in ("Sign 0 y", "Sign 13 y"))
    assert len(max(said.split("~"), key=len)) <= 120


def test_below_the_band_means_absent(images: Images) -> None:
    unsure = replace(LESION, undetermined=(0.4, 0.6))
    prediction = study(images([0.45]), model((NO_FINDING, unsure)))
    limits = [obx[7] for obx in segments(message(prediction), "OBX") if obx[2] == "NM"]
    assert limits == ["<40", ""]
    [limit] = resources(bundle(prediction), "Observation")[0]["referenceRange"]
    assert limit["high"]["value"] == 40
    assert limit["text"] == "absent below; operating point 50 %, undetermined 40 to 60 %"


def test_what_is_undetermined_is_concluded_beside_what_is_present(tmp_path: Path) -> None:
    specs = (LESION, replace(FOURTEEN_CLASSES[0], undetermined=(0.4, 0.6)))
    seen = image(save(ct_slice(), tmp_path / "1.dcm"), (0.9, 0.5))
    [report] = resources(bundle(study([seen], model(specs, "sigmoid"))), "DiagnosticReport")
    assert report["conclusion"].startswith("Lesion: present; Sign 0: undetermined.")


def test_two_findings_of_a_softmax_study_are_stated_alike_everywhere(tmp_path: Path) -> None:
    """Each is on an image of its own, where the other one is below its threshold."""
    specs = (
        NO_FINDING,
        ClassSpec("Mass", Code("4147007", "SCT", "Mass"), 0.6, positive=True),
        ClassSpec("Effusion", Code("60046008", "SCT", "Pleural effusion"), 0.4, positive=True),
    )
    seen = [
        image(save(ct_slice(number), tmp_path / f"{number}.dcm"), probabilities)
        for number, probabilities in enumerate(((0.125, 0.8125, 0.0625), (0.375, 0.125, 0.5)), 1)
    ]
    prediction = aggregate(seen, model(specs))
    assert prediction.probabilities[1:] == (0.8125, 0.5)
    known = {
        finding(group): (percent(group), decision(group))
        for group in groups(report(prediction))
        if decision(group) == "Present"
    }
    assert known == {"Mass": (81.25, "Present"), "Pleural effusion": (50.0, "Present")}
    observations = {
        one["code"]["coding"][0]["code"]: (
            one["valueQuantity"]["value"],
            one["interpretation"][0]["coding"][0]["code"],
        )
        for one in resources(bundle(prediction), "Observation")
        if "interpretation" in one
    }
    assert observations == {"4147007": (81.25, "POS"), "60046008": (50, "POS")}
    [concluded] = resources(bundle(prediction), "DiagnosticReport")
    assert concluded["conclusion"].startswith("Mass, Effusion: present.")
    parsed = message(prediction)
    numbers = [(obx[3], obx[5], obx[8]) for obx in segments(parsed, "OBX") if obx[2] == "NM"]
    assert numbers[:2] == [
        ("4147007^Mass probability^SCT", "81.25", "A"),
        ("60046008^Effusion probability^SCT", "50", "A"),
    ]
    said = [obx[5] for obx in segments(parsed, "OBX") if obx[2] == "TX"]
    assert said[-1].startswith("Mass, Effusion: present.")


def test_no_value_breaks_out_of_its_field(images: Images) -> None:
    odd = {"PatientID": "A|B^C&D~E\\F", "AccessionNumber": "1|2"}
    parsed = message(study(images([0.9], **odd)))
    [pid] = segments(parsed, "PID")
    assert pid[3] == "A\\F\\B\\S\\C\\T\\D\\R\\E\\E\\F^^^^PI"
    [obr] = segments(parsed, "OBR")
    assert obr[18] == "1\\F\\2"


def test_the_order_is_named(images: Images) -> None:
    order = Dataset()
    order.AccessionNumber = "ACC9"
    order.PlacerOrderNumberImagingServiceRequest = "P1"
    order.FillerOrderNumberImagingServiceRequest = "F1"
    prediction = study(images([0.9], RequestAttributesSequence=[order]))
    [obr] = segments(message(prediction), "OBR")
    assert (obr[2], obr[3], obr[18], obr[25]) == ("P1", "F1", "ACC9", "R")
    [report] = resources(bundle(prediction), "DiagnosticReport")
    assert [one["identifier"]["value"] for one in report["basedOn"]] == ["ACC9"]


def test_all_revisions_of_a_study_have_one_order_number(images: Images) -> None:
    first, second = images([0.9, 0.4])
    later = replace(CONTEXT, corrects_message=True, identity="withdrawn 1")
    one = message(study([first]))
    [two] = build_results(study([first, second]), [ResultKind.HL7], later, grey)
    parsed = read(two.encode())
    [before], [after] = segments(one, "OBR"), segments(parsed, "OBR")
    assert before[3] == after[3] != ""
    assert (before[25], after[25]) == ("R", "C")
    assert {obx[11] for obx in segments(parsed, "OBX")} == {"O", "R"}  # nobody has verified them
    other = replace(model(), name="other")
    assert segments(message(study([first], other)), "OBR")[0][3] != before[3]


def test_a_bundle_states_each_class_with_its_decision(images: Images) -> None:
    unsure = replace(LESION, undetermined=(0.4, 0.6))
    prediction = study(images([0.45]), model((NO_FINDING, unsure)))
    found = bundle(prediction)
    [report] = resources(found, "DiagnosticReport")
    assert report["status"] == "partial"
    assert report["conclusion"].startswith("Lesion: undetermined.")
    assert report["imagingStudy"][0]["identifier"]["value"] == "urn:oid:1.2.3"
    assert report["subject"] == {"type": "Patient", "identifier": {"value": "ID1"}}
    observations = resources(found, "Observation")
    assert [one["valueQuantity"]["value"] for one in observations] == [45, 55]
    assert observations[0]["interpretation"][0]["coding"][0]["code"] == "IND"
    assert observations[0]["code"]["coding"][0]["system"] == "http://snomed.info/sct"
    assert "interpretation" not in observations[1]
    listed = {entry["fullUrl"] for entry in found["entry"]}
    assert {one["reference"] for one in report["result"]} <= listed
    assert {one["device"]["reference"] for one in observations} <= listed


def test_a_bundle_sent_twice_is_there_once(images: Images) -> None:
    prediction = study(images([0.9]))
    once, again = bundle(prediction), bundle(prediction)
    assert once == again
    requests = [entry["request"] for entry in once["entry"]]
    assert {request["method"] for request in requests} == {"PUT"}
    assert len({request["url"] for request in requests}) == len(requests)


def test_reserve_is_told(images: Images) -> None:
    text = "the image is unlike those the model learned from"
    reserve = Reservation(LESION.code, 130, text, 0)
    prediction = replace(study(images([0.9])), reservations=(reserve,))
    [report] = resources(bundle(prediction), "DiagnosticReport")
    assert "The image is unlike those the model learned from." in report["conclusion"]
    assert "unlike those" in segments(message(prediction), "OBX")[-1][5]


def test_what_was_not_analysable_has_no_number(images: Images) -> None:
    said = refusal(images([0.9]))
    hl7, fhir = build_refusals(said, [ResultKind.HL7, ResultKind.FHIR], CONTEXT)
    parsed = read(hl7.encode())
    assert {obx[2] for obx in segments(parsed, "OBX")} == {"HD", "TX"}
    assert segments(parsed, "OBX")[-1][11] == "X"
    assert segments(parsed, "OBR")[0][25] == "X"
    found = parsed_bundle(fhir.encode())
    [report] = resources(found, "DiagnosticReport")
    assert report["status"] == "cancelled"
    assert report["conclusion"].startswith("Not analysable: no suitable image for MG")
    assert resources(found, "Observation") == []


@pytest.mark.parametrize(
    ("source", "date"),
    [("20250607", "2025-06-07"), ("", None)],
)
def test_dates_that_are_none_are_left_out(images: Images, source: str, date: str | None) -> None:
    prediction = study(images([0.9], StudyDate=source))
    [report] = resources(bundle(prediction), "DiagnosticReport")
    assert report.get("effectiveDateTime") == date
