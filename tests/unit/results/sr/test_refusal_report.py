from collections.abc import Sequence

from pydicom.dataset import Dataset

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import ResultKind
from pacs_ai.refusal import Refusal
from pacs_ai.results.build import Built, BuiltResult, build_refusals, build_results
from tests.unit.results.conftest import Images
from tests.unit.results.samples import CONTEXT, grey, refusal, study


def objects(made: Sequence[Built]) -> list[Dataset]:
    found = [one.dataset for one in made if isinstance(one, BuiltResult)]
    assert [check_dataset(dataset) for dataset in found] == [[]] * len(found)
    return found


def report(said: Refusal) -> Dataset:
    [made] = objects(build_refusals(said, [ResultKind.REPORT], CONTEXT))
    return made


def texts(made: Dataset) -> list[str]:
    sections = [item for item in made.ContentSequence if item.ValueType == "CONTAINER"]
    return [str(section.ContentSequence[0].TextValue) for section in sections]


def test_the_report_says_why_and_gives_no_number(images: Images) -> None:
    made = report(refusal(images([0.9])))
    why, nothing = texts(made)
    assert why == "Not analysable: no suitable image for MG among 1 instance (1 other modality)."
    assert nothing.startswith("No result of demo 1.2.3. This says nothing of what the images show.")
    assert made.ConceptNameCodeSequence[0].CodeValue == "18748-4"
    assert made.ContentTemplateSequence[0].TemplateIdentifier == "2000"
    assert "NUM" not in {item.ValueType for item in made.ContentSequence}


def test_every_kind_that_can_say_it_does_and_no_other(images: Images) -> None:
    made = build_refusals(refusal(images([0.9])), list(ResultKind), CONTEXT)
    assert [str(one.kind) for one in made] == ["pdf", "report", "hl7", "fhir"]
    objects(made)


def test_a_later_report_takes_its_place_in_the_series(images: Images) -> None:
    found = images([0.9])
    [later] = objects(build_results(study(found), [ResultKind.REPORT], CONTEXT, grey))
    made = report(refusal(found))
    assert made.SeriesInstanceUID == later.SeriesInstanceUID
    assert made.SOPInstanceUID != later.SOPInstanceUID
    assert report(refusal(found)).SOPInstanceUID == made.SOPInstanceUID


def test_all_instances_that_were_looked_at_are_evidence(images: Images) -> None:
    made = report(refusal(images([0.1, 0.2])))
    [listed] = made.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert len(listed.ReferencedSOPSequence) == 2
