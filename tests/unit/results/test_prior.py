"""Every report says the change since an earlier study, in the same words."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from fhir.resources.R4B.bundle import Bundle
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from pydicom.dataset import Dataset

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import ResultKind
from pacs_ai.results.build import BuiltDocument, BuiltResult, build_results
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.predecessor import Predecessor
from pacs_ai.results.common.prior import Prior, PriorFinding
from pacs_ai.results.sr.report_text import readable, render_text
from tests.unit.results.conftest import Images
from tests.unit.results.samples import CONTEXT, FOURTEEN_CLASSES, grey, model, study

CHANGE = "0.31 → 0.82 since 2024-03-01"
REPORT = Predecessor("1.2.9", "1.2.9.1", "1.2.840.10008.5.1.4.1.1.88.34", "1.2.9.1.1")
PRIOR = Prior(
    "2024-03-01",
    (
        PriorFinding("52988006", "SCT", 0.31, "absent"),
        PriorFinding("NOFIND", "99PACSAI", 0.69, ""),
    ),
    REPORT,
)
COMPARED = replace(CONTEXT, prior=PRIOR)
SENTENCE = (
    "Compared with the study of 2024-03-01, by the same model (demo 1.2.3): "
    f"Lesion {CHANGE} (absent → present)"
)
LATE = replace(CONTEXT, prior_missing="the earlier study was not analysed within 60 s")


def dataset(images: Images, context: ResultContext, kind: ResultKind) -> Dataset:
    [made] = build_results(study(images([0.82])), [kind], context, grey)
    assert isinstance(made, BuiltResult)
    assert list(check_dataset(made.dataset)) == []
    return made.dataset


def document(images: Images, context: ResultContext, kind: ResultKind) -> str:
    [made] = build_results(study(images([0.82])), [kind], context, grey)
    assert isinstance(made, BuiltDocument)
    return made.encode().decode("utf-8")


def change_item(report: Dataset) -> Dataset:
    [container] = [
        item
        for item in report.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Qualitative Evaluations"
    ]
    [item] = container.ContentSequence
    assert isinstance(item, Dataset)
    return item


def test_the_structured_report_names_the_report_on_the_earlier_study(images: Images) -> None:
    made = dataset(images, COMPARED, ResultKind.REPORT)
    item = change_item(made)
    assert item.ConceptNameCodeSequence[0].CodeValue == "111021"
    assert item.TextValue == f"{SENTENCE}."
    [earlier] = item.ContentSequence
    assert earlier.RelationshipType == "INFERRED FROM"
    assert earlier.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == REPORT.sop_instance_uid
    [other] = made.PertinentOtherEvidenceSequence
    assert other.StudyInstanceUID == REPORT.study_instance_uid
    assert readable(made).change == f"{SENTENCE}."
    assert SENTENCE in render_text(made)


def test_an_earlier_study_without_a_report_is_compared_all_the_same(images: Images) -> None:
    made = dataset(images, replace(CONTEXT, prior=replace(PRIOR, report=None)), ResultKind.REPORT)
    assert CHANGE in change_item(made).TextValue
    assert "ContentSequence" not in change_item(made)
    assert "PertinentOtherEvidenceSequence" not in made


def test_the_message_states_the_change_of_each_class(images: Images) -> None:
    content = document(images, COMPARED, ResultKind.HL7)
    parsed = parse_message(content, validation_level=VALIDATION_LEVEL.STRICT)
    assert parsed.validate()
    lines = [line.split("|") for line in content.split("\r") if line.startswith("OBX|")]
    [lesion] = [line for line in lines if line[3].startswith("52988006^Lesion change^SCT")]
    assert (lesion[2], lesion[5]) == ("ST", CHANGE)
    [said] = [line[5] for line in lines if line[3].startswith("19005-8")]
    assert SENTENCE in said.replace("~", " ")


def test_the_bundle_states_what_was_before(images: Images) -> None:
    content = document(images, COMPARED, ResultKind.FHIR)
    Bundle.model_validate_json(content)
    found = [entry["resource"] for entry in json.loads(content)["entry"]]
    [report] = [one for one in found if one["resourceType"] == "DiagnosticReport"]
    assert SENTENCE in report["conclusion"]
    [lesion] = [
        one
        for one in found
        if one["resourceType"] == "Observation" and "Lesion" in one["code"]["text"]
    ]
    assert lesion["note"][0] == {"text": CHANGE}
    [before] = lesion["component"]
    assert before["valueQuantity"]["value"] == 31
    assert "2024-03-01" in before["code"]["text"]


def test_the_page_states_it(images: Images, texts: list[tuple[float, float, float, str]]) -> None:
    dataset(images, COMPARED, ResultKind.PDF)
    assert SENTENCE in " ".join(text for *_, text in texts)  # the arrow has a glyph


@pytest.mark.parametrize("kind", [ResultKind.HL7, ResultKind.FHIR, ResultKind.REPORT])
def test_a_report_that_waited_in_vain_says_so(kind: ResultKind, images: Images) -> None:
    said = "No prior compared: the earlier study was not analysed within 60 s."
    if kind is ResultKind.REPORT:
        assert change_item(dataset(images, LATE, kind)).TextValue == said
    else:
        assert said in document(images, LATE, kind).replace("~", " ")


@pytest.mark.parametrize("kind", [ResultKind.HL7, ResultKind.FHIR, ResultKind.REPORT])
def test_nothing_is_said_where_nothing_is_compared(kind: ResultKind, images: Images) -> None:
    if kind is ResultKind.REPORT:
        assert readable(dataset(images, CONTEXT, kind)).change == ""
    else:
        content = document(images, CONTEXT, kind)
        assert "→" not in content
        assert "prior" not in content.lower()


def test_of_many_classes_the_sentence_names_those_that_matter(images: Images) -> None:
    """A class that was present is named although it is absent now."""
    chances = (0.9, 0.1, *[0.2] * 12)
    findings = tuple(
        PriorFinding(f"SIGN{n}", "99PACSAI", 0.2, "present" if n == 1 else "absent")
        for n in range(14)
    )
    [picture] = images([0.9])
    prediction = study(
        [replace(picture, probabilities=chances)], model(FOURTEEN_CLASSES, "sigmoid")
    )
    context = replace(CONTEXT, prior=Prior("2024-03-01", findings))
    [made] = build_results(prediction, [ResultKind.REPORT], context, grey)
    assert isinstance(made, BuiltResult)
    said = readable(made.dataset).change
    assert "Sign 0 0.20 → 0.90 since 2024-03-01 (absent → present)" in said
    assert "Sign 1 0.20 → 0.10 since 2024-03-01 (present → absent)" in said
    assert "Sign 2" not in said


def test_what_is_compared_survives_json(tmp_path: Path) -> None:
    file = tmp_path / "prior.json"
    file.write_text(json.dumps(asdict(PRIOR)))
    assert Prior.read(json.loads(file.read_text())) == PRIOR
