from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage, EnhancedCTImageStorage

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import ImagePrediction, StudyPrediction
from pacs_ai.results.context import Predecessor
from pacs_ai.results.plain import plain_report
from pacs_ai.results.source import Evidence
from pacs_ai.results.sr import build_report
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    CONTEXT,
    FOURTEEN_CLASSES,
    LESION,
    NO_FINDING,
    ct_slice,
    image,
    model,
    save,
    study,
)


def report(prediction: StudyPrediction, **context: object) -> Dataset:
    made = build_report(prediction, Evidence.of(prediction), replace(CONTEXT, **context))
    assert check_dataset(made) == []
    return made


def walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        yield child
        yield from walk(child)


def concept(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].CodeValue) if names else ""


def groups(dataset: Dataset) -> list[dict[str, Dataset]]:
    return [
        {concept(child): child for child in group.ContentSequence}
        for group in walk(dataset)
        if concept(group) == "125007"
    ]


def number(group: dict[str, Dataset]) -> Dataset:
    [num] = [item for item in group.values() if item.ValueType == "NUM"]
    return num


def percent(group: dict[str, Dataset]) -> float:
    [value] = number(group).MeasuredValueSequence
    assert value.MeasurementUnitsCodeSequence[0].CodeValue == "%"
    return float(value.NumericValue)


def point(group: dict[str, Dataset]) -> tuple[float, float]:
    scoord = group["LABELPOS"]
    assert scoord.GraphicType == "POINT"
    column, row = scoord.GraphicData
    return column, row


def finding(group: dict[str, Dataset]) -> str:
    return str(group["121071"].ConceptCodeSequence[0].CodeMeaning)


def decision(group: dict[str, Dataset]) -> str:
    if "121052" not in group:
        return ""
    return str(group["121052"].ConceptCodeSequence[0].CodeMeaning)


def parameters(dataset: Dataset) -> set[str]:
    return {str(item.TextValue) for item in walk(dataset) if concept(item) == "111002"}


def test_a_positive_image_has_a_group_a_class_the_finding_first(images: Images) -> None:
    made = groups(report(study(images([0.8125]))))
    assert [finding(group) for group in made] == ["Lesion", "No finding"]
    assert [percent(group) for group in made] == [81.25, 18.75]
    assert [decision(group) for group in made] == ["Present", ""]
    meanings = [number(group).ConceptNameCodeSequence[0].CodeMeaning for group in made]
    assert meanings == ["FOUND - Lesion probability", "No finding probability"]


def test_between_present_and_absent_a_class_can_be_undetermined(images: Images) -> None:
    unsure = replace(LESION, undetermined=(0.4, 0.6))
    prediction = study(images([0.45]), model((NO_FINDING, unsure)))
    [first, _] = groups(report(prediction))
    assert finding(first) == "Lesion"
    assert decision(first) == "Presence Undetermined"
    assert first["112039"].TextValue.startswith("Lesion / image 1: undetermined")
    assert "undetermined=0.4..0.6" in parameters(report(prediction))
    assert prediction.positive_classes() == ()


def test_the_point_of_a_finding_lies_at_the_peak_the_other_at_the_margin(images: Images) -> None:
    lesion, none = groups(report(study(images([0.9]))))
    assert point(lesion) == (pytest.approx(0.464 * 64, abs=0.1), pytest.approx(0.3214 * 96, abs=4))
    assert point(none)[0] == pytest.approx(0.03 * 64)
    assert "peak of the heat map" in lesion["112039"].TextValue
    assert "peak" not in none["112039"].TextValue


def test_a_negative_image_says_so_first_and_points_nowhere(images: Images) -> None:
    made = groups(report(study(images([0.07]))))
    assert [finding(group) for group in made] == ["No finding", "Lesion"]
    assert [decision(group) for group in made] == ["", "Absent"]
    assert [point(group)[0] for group in made] == [pytest.approx(0.03 * 64)] * 2


def test_a_flat_map_points_nowhere(tmp_path: Path) -> None:
    path = save(ct_slice(), tmp_path / "1.dcm")
    found = image(path, (0.1, 0.9))
    flat = replace(found, saliency=found.saliency * 0)
    lesion, _ = groups(report(study([flat])))
    assert point(lesion)[0] == pytest.approx(0.03 * 64)


def test_several_images_are_summed_up_first_on_the_decisive_one(images: Images) -> None:
    prediction = study(images([0.2, 0.9, 0.6]))
    made = groups(report(prediction))
    assert [str(group["112039"].TextValue).split(":")[0] for group in made] == [
        *("Lesion / study", "No finding / study"),
        *("No finding / image 1", "Lesion / image 1"),
        *("Lesion / image 2", "No finding / image 2"),
        *("Lesion / image 3", "No finding / image 3"),
    ]
    summary = number(made[0])
    assert summary.ConceptNameCodeSequence[0].CodeMeaning == "FOUND - Lesion probability, study"
    [spot] = summary.ContentSequence
    decisive = prediction.images[1].header.sop_instance_uid
    for place in (made[0]["LABELPOS"], spot):
        [image] = place.ContentSequence[0].ReferencedSOPSequence
        assert image.ReferencedSOPInstanceUID == decisive


def test_images_of_a_study_of_many_classes_state_what_is_found_there(tmp_path: Path) -> None:
    chances = [(0.9, 0.8, *[0.1] * 12), (0.2, *[0.1] * 13)]
    seen = [
        image(save(ct_slice(number), tmp_path / f"{number}.dcm"), p)
        for number, p in enumerate(chances, start=1)
    ]
    made = groups(report(study(seen, model(FOURTEEN_CLASSES, "sigmoid"))))
    texts = [str(group["112039"].TextValue) for group in made]
    assert sum("/ study" in text for text in texts) == 14
    assert [text.split(":")[0] for text in texts if "/ study" not in text] == [
        "Sign 0 / image 1",
        "Sign 1 / image 1",
        "Sign 0 / image 2",
    ]


def test_a_study_level_group_names_every_image_it_was_made_of(images: Images) -> None:
    prediction = study(images([0.1] * 6))
    made = report(prediction)
    study_group = next(group for group in walk(made) if concept(group) == "125007")
    sources = {
        str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for item in study_group.ContentSequence
        if item.ValueType == "IMAGE"
    }
    assert sources == {i.header.sop_instance_uid for i in prediction.images}
    assert len(groups(made)) == 4  # two classes: the study and the decisive image
    assert "aggregation=max" in parameters(made)


def test_every_analysed_image_is_in_the_library_and_the_evidence(images: Images) -> None:
    prediction = study(images([0.1] * 5))
    made = report(prediction)
    uids = {i.header.sop_instance_uid for i in prediction.images}
    [library] = [item for item in walk(made) if concept(item) == "111028"]
    listed = {
        str(ref.ReferencedSOPInstanceUID)
        for item in walk(library)
        for ref in item.get("ReferencedSOPSequence", [])
    }
    [evidence] = made.CurrentRequestedProcedureEvidenceSequence
    [series] = evidence.ReferencedSeriesSequence
    assert listed == uids
    assert {str(ref.ReferencedSOPInstanceUID) for ref in series.ReferencedSOPSequence} == uids
    assert (evidence.StudyInstanceUID, series.SeriesInstanceUID) == ("1.2.3", "1.2.3.4")


def test_frames_are_referred_to_by_number(tmp_path: Path) -> None:
    source = ct_slice(SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=3)
    path = save(source, tmp_path / "1.dcm")
    frames = [image(path, (1 - p, p), frame=n) for n, p in ((1, 0.1), (2, 0.7), (3, 0.2))]
    made = report(study(frames))
    lesion, none = groups(made)
    [scoord] = number(lesion).ContentSequence
    assert scoord.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber == 2
    assert point(lesion)[0] > 0.4 * 64
    assert finding(none) == "No finding"
    library = next(item for item in walk(made) if concept(item) == "111028")
    assert sum(item.ValueType == "IMAGE" for item in walk(library)) == 1


def test_fourteen_independent_classes(tmp_path: Path) -> None:
    probabilities = [round(0.97 - 0.07 * n, 4) for n in range(14)]
    path = save(ct_slice(), tmp_path / "1.dcm")
    prediction = study([image(path, probabilities)], model(FOURTEEN_CLASSES, "sigmoid"))
    made = report(prediction)
    assert [percent(group) for group in groups(made)] == [
        pytest.approx(100 * p) for p in probabilities
    ]
    assert len({point(group) for group in groups(made)}) == 14
    assert "activation=sigmoid" in parameters(made)


def test_the_algorithm_is_named_with_everything_that_shapes_its_answer(images: Images) -> None:
    made = report(study(images([0.9])))
    assert parameters(made) == {
        f"weights-sha256={'ab' * 32}",
        "input=224x224",
        "preprocess=letterbox-v1",
        "modalities=CT,MR",
        "activation=softmax",
        "temperature=1.5",
        "threshold=0.5",
        "aggregation=max",
    }
    for group in groups(made):
        assert group["111001"].TextValue == "demo"
        assert group["111003"].TextValue == "1.2.3"


def test_tracking_uids_are_unique_and_the_same_the_next_time(images: Images) -> None:
    prediction = study(images([0.9, 0.1]))
    once, again = ([g["112040"].UID for g in groups(report(prediction))] for _ in range(2))
    assert once == again
    assert len(set(once)) == len(once) == 6


def test_nobody_has_looked_at_it_yet(images: Images) -> None:
    made = report(study(images([0.9])))
    assert made.CompletionFlag == "COMPLETE"
    assert made.PreliminaryFlag == "PRELIMINARY"
    assert made.VerificationFlag == "UNVERIFIED"
    assert made.ContentQualification == "RESEARCH"
    assert "research" in made.SeriesDescription


def test_a_peer_that_refuses_3d_gets_the_same_content_as_another_object(
    images: Images, tmp_path: Path
) -> None:
    three_d = report(study(images([0.9])))
    three_d.save_as(tmp_path / "report.dcm", enforce_file_format=True)
    made, again = (plain_report(tmp_path / "report.dcm") for _ in range(2))
    assert made == again
    flat = pydicom.dcmread(BytesIO(made.content))
    assert check_dataset(flat) == []
    assert flat.SOPClassUID == flat.file_meta.MediaStorageSOPClassUID == ComprehensiveSRStorage
    assert flat.SOPInstanceUID == made.sop_instance_uid != three_d.SOPInstanceUID
    assert flat.SeriesInstanceUID == made.series_instance_uid != three_d.SeriesInstanceUID
    assert flat.ContentSequence == pydicom.dcmread(tmp_path / "report.dcm").ContentSequence


def named(made: Dataset) -> Predecessor:
    return Predecessor(
        made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPClassUID, made.SOPInstanceUID
    )


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


def test_a_plain_report_names_the_plain_report_that_its_peer_has(
    images: Images, tmp_path: Path
) -> None:
    first, second = images([0.9, 0.4])
    earlier = report(study([first]))
    later = report(study([first, second]), predecessor=named(earlier))
    plain = []
    for number, made in enumerate((earlier, later)):
        made.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
        plain.append(plain_report(tmp_path / f"{number}.dcm"))
    found = pydicom.dcmread(BytesIO(plain[1].content)).PredecessorDocumentsSequence[0]
    [series] = found.ReferencedSeriesSequence
    [reference] = series.ReferencedSOPSequence
    assert reference.ReferencedSOPInstanceUID == plain[0].sop_instance_uid
    assert reference.ReferencedSOPClassUID == plain[0].sop_class_uid
    assert series.SeriesInstanceUID == plain[0].series_instance_uid == plain[1].series_instance_uid


def test_a_report_is_not_its_own_predecessor(images: Images) -> None:
    prediction = study(images([0.9]))
    same = named(report(prediction))
    assert "PredecessorDocumentsSequence" not in report(prediction, predecessor=same)


def request(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def only(prediction: list[ImagePrediction]) -> Dataset:
    [item] = report(study(prediction)).ReferencedRequestSequence
    return item


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
    [contribution] = made.ContributingEquipmentSequence
    assert contribution.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    observer = {concept(item): item for item in made.ContentSequence}
    assert CONTEXT.installation_uid == observer["121012"].UID
