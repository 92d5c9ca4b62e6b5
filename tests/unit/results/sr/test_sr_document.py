"""What every structured report has: status, order, predecessor, schemes, time, equipment."""

from pydicom.dataset import Dataset

from pacs_ai.domain import ImagePrediction
from pacs_ai.results.common.equipment import device_uid
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    CONTEXT,
    model,
    study,
)
from tests.unit.results.sr.report_content import concept, named, report


def request(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def only(prediction: list[ImagePrediction]) -> Dataset:
    [item] = report(study(prediction)).ReferencedRequestSequence
    return item


def test_nobody_has_looked_at_it_yet(images: Images) -> None:
    made = report(study(images([0.9])))
    assert made.CompletionFlag == "COMPLETE"
    assert made.PreliminaryFlag == "PRELIMINARY"
    assert made.VerificationFlag == "UNVERIFIED"
    assert made.ContentQualification == "RESEARCH"
    assert "research" in made.SeriesDescription


def test_a_study_that_grew_gets_a_new_report_which_names_the_old(
    images: Images,
) -> None:
    first, second = images([0.1, 0.9])
    earlier = report(study([first]))
    later = report(study([first, second]), predecessor=named(earlier))
    [found] = later.PredecessorDocumentsSequence
    [series] = found.ReferencedSeriesSequence
    [reference] = series.ReferencedSOPSequence
    assert reference.ReferencedSOPInstanceUID == earlier.SOPInstanceUID != later.SOPInstanceUID
    assert series.SeriesInstanceUID == earlier.SeriesInstanceUID == later.SeriesInstanceUID


def test_a_report_is_not_its_own_predecessor(images: Images) -> None:
    prediction = study(images([0.9]))
    same = named(report(prediction))
    assert "PredecessorDocumentsSequence" not in report(prediction, predecessor=same)


def test_the_order_of_the_source_is_answered(images: Images) -> None:
    order = request(RequestedProcedureID="RP1", AccessionNumber="ACC9", StudyInstanceUID="1.9")
    answered = only(images([0.9], RequestAttributesSequence=[order]))
    assert answered.RequestedProcedureID == "RP1"
    assert answered.AccessionNumber == "ACC9"
    assert answered.StudyInstanceUID == "1.9"
    assert "PlacerOrderNumberImagingServiceRequest" in answered


def test_without_an_order_the_accession_number_stands_for_it(images: Images) -> None:
    answered = only(images([0.9]))
    assert (answered.AccessionNumber, answered.StudyInstanceUID) == ("ACC1", "1.2.3")


def test_without_either_there_is_no_request(images: Images) -> None:
    made = report(study(images([0.9], AccessionNumber="")))
    assert "ReferencedRequestSequence" not in made


def test_private_coding_schemes_are_explained(images: Images) -> None:
    code = request(CodeValue="1", CodingSchemeDesignator="99HOSP", CodeMeaning="x")
    known = request(CodingSchemeDesignator="99HOSP", CodingSchemeName="Hospital")
    order = request(
        RequestedProcedureCodeSequence=[
            request(CodeValue="2", CodingSchemeDesignator="99RIS", CodeMeaning="y")
        ]
    )
    made = report(
        study(
            images(
                [0.9],
                ProcedureCodeSequence=[code],
                CodingSchemeIdentificationSequence=[known],
                RequestAttributesSequence=[order],
            )
        )
    )
    listed = {
        item.CodingSchemeDesignator: item.get("CodingSchemeName")
        for item in made.CodingSchemeIdentificationSequence
    }
    assert listed["99HOSP"] == "Hospital"
    assert set(listed) == {"99HOSP", "99RIS", "99PACSAI"}


def test_times_are_those_of_the_job_in_the_zone_of_the_source(images: Images) -> None:
    made = report(study(images([0.9], TimezoneOffsetFromUTC="-0500")))
    assert made.TimezoneOffsetFromUTC == "-0500"
    assert (str(made.ContentDate), str(made.ContentTime)) == ("20260101", "220405.678000")
    assert made.InstanceCreationDate == made.SeriesDate == made.ContentDate
    assert made.InstanceCreationTime == made.SeriesTime == made.ContentTime


def test_the_equipment_is_ours_not_the_scanner_s(images: Images) -> None:
    made = report(study(images([0.9])))
    assert made.Manufacturer == "pacs-ai"
    assert made.SoftwareVersions == "0.1.0"
    assert made.DeviceSerialNumber == CONTEXT.installation_uid
    observer = {concept(item): item for item in made.ContentSequence}
    assert device_uid(model()) == observer["121012"].UID
    assert observer["121013"].TextValue == observer["121015"].TextValue == "demo"
