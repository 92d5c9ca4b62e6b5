"""The message in the form of IHE Radiology, Send Imaging Result [RAD-128]."""

from pydicom.dataset import Dataset

from pacs_ai.domain import ResultKind
from pacs_ai.results.build import build_refusals, build_results
from pacs_ai.results.common.equipment import device_uid
from tests.unit.results.conftest import Images
from tests.unit.results.documents.test_hl7_and_fhir import message, read, segments
from tests.unit.results.samples import CONTEXT, grey, model, refusal, study

WANTED = (ResultKind.HL7, ResultKind.CAPTURE, ResultKind.REPORT)


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def test_the_segments_come_in_the_order_of_the_transaction(images: Images) -> None:
    parsed = message(study(images([0.9])))
    names = [line[:3] for line in parsed.to_er7().rstrip("\r").split("\r")]
    assert names[:6] == ["MSH", "PID", "PV1", "ORC", "OBR", "TQ1"]
    assert set(names[6:]) == {"OBX"}


def test_visit_and_time_are_those_of_the_study(images: Images) -> None:
    parsed = message(study(images([0.9], AdmissionID="V|1")))
    [pv1] = segments(parsed, "PV1")
    assert (pv1[2], pv1[19], pv1[51]) == ("U", "V\\F\\1", "V")
    [obr], [tq1] = segments(parsed, "OBR"), segments(parsed, "TQ1")
    assert obr[7] == tq1[7] == "20250607080910"
    undated = message(study(images([0.9], StudyDate="", AdmissionID="")))
    assert segments(undated, "TQ1") == []
    [pv1] = segments(undated, "PV1")
    assert pv1 == ["PV1", "", "U"]


def test_the_procedure_is_that_of_the_images_or_of_their_order(images: Images) -> None:
    order = Dataset()
    order.RequestedProcedureCodeSequence = [coded("O1", "99ORDER", "As ordered")]
    order.ReasonForTheRequestedProcedure = "Cough & fever"
    done = [coded("36643-5", "LN", "XR Chest 2 Views")]
    report = "18748-4^Diagnostic Imaging Report^LN"
    for codes, procedure in (([], "O1^As ordered^99ORDER"), (done, "36643-5^XR Chest 2 Views^LN")):
        seen = images([0.9], RequestAttributesSequence=[order], ProcedureCodeSequence=codes)
        [obr] = segments(message(study(seen)), "OBR")
        assert (obr[4], obr[44]) == (f"{procedure}^{report}", procedure)
        assert obr[31] == "^Cough \\T\\ fever"
        assert obr[24] == "RAD"
    [obr] = segments(message(study(images([0.9]))), "OBR")
    assert (obr[4], obr[31], obr[44]) == (report, "", report)
    assert obr[32] == "", "nobody has interpreted it"


def test_each_observation_names_the_model_as_its_maker(images: Images) -> None:
    for obx in segments(message(study(images([0.9]))), "OBX"):
        if obx[11] == "O":
            assert len(obx) == 12
        else:
            assert obx[17] == "123110^Artificial Intelligence^DCM"
            assert obx[18] == f"demo^^{device_uid(model())}^ISO"
            assert obx[19] == "20260102030405+0000"


def test_the_report_is_named_if_there_is_one(images: Images) -> None:
    made = {one.kind: one for one in build_results(study(images([0.9])), WANTED, CONTEXT, grey)}
    parsed = read(made[ResultKind.HL7].encode())
    named = [(obx[3], obx[5], obx[11]) for obx in segments(parsed, "OBX") if obx[2] == "HD"]
    assert named == [
        ("113014^DICOM Study^DCM", "1.2.3", "O"),
        (
            "126000^Imaging Measurement Report^DCM",
            made[ResultKind.REPORT].sop_instance_uid,
            "O",
        ),
    ]
    alone = [obx[3] for obx in segments(message(study(images([0.9]))), "OBX") if obx[2] == "HD"]
    assert alone == ["113014^DICOM Study^DCM"]


def test_a_report_of_what_was_not_analysable_is_named_too(images: Images) -> None:
    said = refusal(images([0.9]))
    report, document = build_refusals(said, [ResultKind.HL7, ResultKind.REPORT], CONTEXT)
    named = [obx[5] for obx in segments(read(document.encode()), "OBX") if obx[2] == "HD"]
    assert named == ["1.2.3", report.sop_instance_uid]


def test_a_message_that_says_something_else_has_another_control_id(images: Images) -> None:
    """Receivers drop a message whose control id they know."""
    prediction = study(images([0.9]))
    ids = []
    for kinds in (WANTED, WANTED, WANTED[:1]):
        made = build_results(prediction, kinds, CONTEXT, grey)
        [document] = [one for one in made if one.kind is ResultKind.HL7]
        ids.append((segments(read(document.encode()), "MSH")[0][9], document.encode()))
    assert ids[0] == ids[1]
    assert ids[0][0] != ids[2][0]
    assert ids[0][1] != ids[2][1]
