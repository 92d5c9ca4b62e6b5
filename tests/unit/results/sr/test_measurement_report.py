"""The measurement groups of a report, its image library and its evidence."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import EnhancedCTImageStorage

from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    FOURTEEN_CLASSES,
    LESION,
    NO_FINDING,
    ct_slice,
    image,
    model,
    save,
    study,
)
from tests.unit.results.sr.report_content import (
    concept,
    decision,
    finding,
    groups,
    number,
    parameters,
    percent,
    point,
    report,
    walk,
)


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
    assert first["112039"].TextValue == "Lesion / image 1"
    assert "undetermined=0.4..0.6" in parameters(report(prediction))
    assert prediction.positive_classes() == ()


def test_the_point_of_a_finding_lies_at_the_peak_the_other_at_the_margin(images: Images) -> None:
    lesion, none = groups(report(study(images([0.9]))))
    assert point(lesion) == (pytest.approx(0.464 * 64, abs=0.1), pytest.approx(0.3214 * 96, abs=4))
    assert point(none)[0] == pytest.approx(0.03 * 64)


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


@pytest.mark.parametrize(("modality", "said"), [("ES", ["ES"]), ("OT", []), ("", [])])
def test_the_library_states_acquisition_modalities_alone(
    tmp_path: Path, modality: str, said: list[str]
) -> None:
    """Row 1 of TID 1602 asks for a code of CID 29; without one the template is left out."""
    path = save(ct_slice(Modality=modality), tmp_path / "1.dcm")
    made = report(study([image(path, (0.1, 0.9))]))
    [group] = [item for item in walk(made) if concept(item) == "126200"]
    stated = [item for item in group.ContentSequence if concept(item) == "121139"]
    assert [item.ConceptCodeSequence[0].CodeValue for item in stated] == said
    assert len(group.ContentSequence) == (4 if said else 1)


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
