"""Documents that withdraw others, as the libraries of the field read them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pacs_ai.domain import ResultKind
from pacs_ai.errors import InvalidResult
from pacs_ai.results.build import build_results
from pacs_ai.results.documents.withdrawn import DocumentWithdrawal, withdraw_document
from tests.unit.results.conftest import Images
from tests.unit.results.documents.test_hl7_and_fhir import (
    document,
    parsed_bundle,
    read,
    resources,
    segments,
)
from tests.unit.results.samples import CONTEXT, grey, study

WHY = "These AI results were withdrawn | for a reason."
SAID = DocumentWithdrawal(WHY, False, "2.25.77", datetime(2026, 3, 1, 12, tzinfo=UTC))
WRONG = DocumentWithdrawal(WHY, True, "2.25.77", SAID.at)


@pytest.mark.parametrize(("said", "status"), [(SAID, "D"), (WRONG, "W")])
def test_a_message_names_every_observation_as_deleted_or_wrong(
    images: Images, said: DocumentWithdrawal, status: str
) -> None:
    before = document(study(images([0.9])), ResultKind.HL7).encode()
    after = read(withdraw_document("hl7", before, said))
    old, new = segments(read(before), "OBX"), segments(after, "OBX")
    assert [obx[:6] for obx in new] == [obx[:6] for obx in old]
    assert {obx[11] for obx in new} == {"O", status}
    [obr] = segments(after, "OBR")
    assert (obr[25], obr[22]) == ("C", "20260301120000+0000")
    [note] = segments(after, "NTE")
    assert note[3] == WHY.replace("|", "\\F\\")
    [msh] = segments(after, "MSH")
    assert msh[9] != segments(read(before), "MSH")[0][9]
    assert segments(after, "PID") == segments(read(before), "PID")


def test_a_bundle_puts_the_same_resources_in_error(images: Images) -> None:
    before = document(study(images([0.9])), ResultKind.FHIR).encode()
    after = withdraw_document("fhir", before, SAID)
    old, new = parsed_bundle(before), parsed_bundle(after)
    assert [one["request"] for one in new["entry"]] == [one["request"] for one in old["entry"]]
    assert new["identifier"]["value"] == "urn:oid:2.25.77"
    [report] = resources(new, "DiagnosticReport")
    assert (report["status"], report["conclusion"]) == ("entered-in-error", WHY)
    assert "conclusionCode" not in report
    found = resources(new, "Observation")
    assert found
    assert {one["status"] for one in found} == {"entered-in-error"}
    assert all({"text": WHY} in one["note"] for one in found)


def test_a_bundle_names_the_report_that_it_replaces(images: Images) -> None:
    """By an identifier that the replaced report has, withdrawn or not."""
    prediction = study(images([0.9]))
    first = document(prediction, ResultKind.FHIR)
    later = replace(CONTEXT, identity="withdrawn 1", earlier_bundle=first.sop_instance_uid)
    [new] = build_results(prediction, [ResultKind.FHIR], later, grey)
    [report] = resources(parsed_bundle(new.encode()), "DiagnosticReport")
    [said] = report["extension"]
    assert said["url"] == "http://hl7.org/fhir/StructureDefinition/diagnosticReport-replaces"
    named = said["valueReference"]["identifier"]
    withdrawn = withdraw_document("fhir", first.encode(), SAID)
    for sent in (first.encode(), withdrawn):
        [old] = resources(parsed_bundle(sent), "DiagnosticReport")
        assert named in old["identifier"]
        assert "extension" not in old
    assert named not in report["identifier"]


def test_a_bundle_does_not_replace_itself(images: Images) -> None:
    prediction = study(images([0.9]))
    same = replace(CONTEXT, earlier_bundle=document(prediction, ResultKind.FHIR).sop_instance_uid)
    [again] = build_results(prediction, [ResultKind.FHIR], same, grey)
    [report] = resources(parsed_bundle(again.encode()), "DiagnosticReport")
    assert "extension" not in report


@pytest.mark.parametrize("kind", ["hl7", "fhir"])
def test_what_is_no_document_of_ours_is_refused(kind: str) -> None:
    with pytest.raises(InvalidResult, match="cannot be read"):
        withdraw_document(kind, b"OBX|1", SAID)
