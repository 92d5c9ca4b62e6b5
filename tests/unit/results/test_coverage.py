"""Every kind of result says what of the study was not looked at."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from pydicom.dataset import Dataset

from pacs_ai.coverage import LeftOut, Unseen
from pacs_ai.domain import Decision, ImagePrediction, ResultKind, StudyPrediction
from pacs_ai.model.reservations import reservations_of
from pacs_ai.results.build import BuiltResult, build_results
from pacs_ai.results.images.legend import NOTHING, legend_of
from pacs_ai.results.sr.read_report import read_findings, read_reservations
from tests.unit.results.conftest import Images
from tests.unit.results.samples import CONTEXT, grey, model, study

FEW = LeftOut(unreadable=Unseen(1, ("image 9",)))
MANY = LeftOut(unreadable=Unseen(27, ("image 2", "image 3")))
THINNED = LeftOut(thinned=90)
CENTRAL = LeftOut(passed_over=110)
ALL = tuple(ResultKind)


def seen(shown: Sequence[ImagePrediction], left_out: LeftOut, **values: Any) -> StudyPrediction:
    if left_out.passed_over:
        values = {"images": "central-10", **values}
    prediction = study(shown, replace(model(), **values))
    prediction = replace(prediction, left_out=left_out)
    return replace(prediction, reservations=reservations_of(prediction))


def legend(image: ImagePrediction, left_out: LeftOut) -> list[str]:
    """What is written on a picture of an image, line by line."""
    prediction = seen([image], left_out)
    drawn = legend_of(prediction.model, image, 1, prediction.coverage, painted=True)
    return [line.text for line in drawn.lines]


def made(prediction: StudyPrediction, kind: ResultKind) -> Any:
    """The first result of a kind: a data set, or the bytes of a document."""
    first = next(build_results(prediction, [kind], CONTEXT, grey), None)
    return first.dataset if isinstance(first, BuiltResult) else first and first.encode()


def words(dataset: Dataset) -> str:
    """All that an object says in its header, below sequences too."""
    parts = [str(element.value) for element in dataset.iterall() if element.keyword != "PixelData"]
    return "\n".join(parts)


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind is not ResultKind.PDF])
@pytest.mark.parametrize("left_out", [MANY, THINNED, CENTRAL])
def test_every_kind_says_how_many_of_how_many(
    kind: ResultKind, left_out: LeftOut, images: Images
) -> None:
    prediction = seen(images([0.9] + [0.1] * 9), left_out)
    result = made(prediction, kind)
    text = result.decode() if isinstance(result, bytes) else words(result)
    assert prediction.coverage.extent in text.lower()


@pytest.mark.parametrize("left_out", [MANY, THINNED, CENTRAL])
def test_a_page_says_how_many_of_how_many(
    left_out: LeftOut, images: Images, texts: list[tuple[float, float, float, str]]
) -> None:
    prediction = seen(images([0.1] * 10), left_out)
    made(prediction, ResultKind.PDF)
    written = " ".join(text for *_, text in texts)
    assert prediction.coverage.extent in written.lower()
    assert ("Nothing found" in written) is not prediction.coverage.incomplete


@pytest.mark.parametrize("kind", ALL)
def test_another_coverage_is_another_object(kind: ResultKind, images: Images) -> None:
    shown = images([0.9, 0.1])
    uids = {
        left_out: next(build_results(seen(shown, left_out), [kind], CONTEXT, grey)).sop_instance_uid
        for left_out in (LeftOut(), FEW, MANY, THINNED, CENTRAL)
    }
    assert len(set(uids.values())) == len(uids)


@pytest.mark.parametrize(("lost", "of"), [(0, 20), (1, 20), (2, 20), (10, 100), (3, 30)])
def test_up_to_the_share_what_is_not_found_is_absent(lost: int, of: int, images: Images) -> None:
    prediction = seen(images([0.1]) * (of - lost), LeftOut(unreadable=Unseen(lost)))
    assert not prediction.coverage.incomplete
    assert [prediction.decision(index) for index in (0, 1)] == [None, Decision.ABSENT]


@pytest.mark.parametrize(("lost", "of"), [(3, 20), (11, 100), (50, 100), (27, 28), (4, 30)])
def test_above_the_share_nothing_is_absent(lost: int, of: int, images: Images) -> None:
    prediction = seen(images([0.1]) * (of - lost), LeftOut(unreadable=Unseen(lost)))
    assert prediction.coverage.incomplete
    assert {prediction.decision(index) for index in (0, 1)} == {Decision.UNDETERMINED}


def test_the_share_is_the_bundles(images: Images) -> None:
    shown = images([0.1, 0.1])
    assert not seen(shown, FEW, incomplete_above=0.5).coverage.incomplete
    assert seen(shown * 20, FEW, incomplete_above=0.0).coverage.incomplete


def test_thinning_counts_like_all_that_was_not_looked_at(images: Images) -> None:
    """A finding may lie between the slices that were taken; a bundle may state another share."""
    prediction = seen(images([0.1] * 10), THINNED)
    assert prediction.coverage.incomplete
    assert [one.code.value for one in prediction.reservations] == ["INCOMPLETE", "NOTTAKEN"]
    assert prediction.reservations[1].text.startswith("10 of 100 images analysed")
    measured_so = seen(images([0.1] * 10), THINNED, incomplete_above=0.9)
    assert not measured_so.coverage.incomplete
    assert [one.code.value for one in measured_so.reservations] == ["NOTTAKEN"]


@pytest.mark.parametrize(
    ("choice", "left_out", "wanted"),
    [
        ("central-5", LeftOut(passed_over=115), "central 5 of 120 images analysed"),
        ("every-4", LeftOut(passed_over=15), "every 4th of 20 images analysed"),
        ("every-3", LeftOut(passed_over=10), "every 3rd of 15 images analysed"),
        ("every-12", LeftOut(passed_over=55), "every 12th of 60 images analysed"),
        (
            "central-6",
            LeftOut(unreadable=Unseen(1), passed_over=114),
            "5 of 6 images (central 6 of 120) analysed, 1 unreadable",
        ),
        (
            "central-5",
            LeftOut(unreadable=Unseen(1), passed_over=115, unplaced=1),
            "5 of 6 images (central 5 of 121) analysed, 1 unreadable",
        ),
    ],
)
def test_what_the_bundle_passes_over_is_said_and_is_not_missing(
    choice: str, left_out: LeftOut, wanted: str, images: Images
) -> None:
    prediction = seen(images([0.1] * 5), left_out, images=choice)
    assert prediction.coverage.remark == wanted
    assert prediction.coverage.incomplete is bool(left_out.unreadable.count)
    *_, last = prediction.reservations
    assert last.code.value == "NOTCHOSEN"
    assert last.text.startswith(f"{prediction.coverage.extent} analysed")


def test_what_is_present_stays_present(images: Images) -> None:
    prediction = seen(images([0.9, 0.1]), MANY)
    findings = read_findings(made(prediction, ResultKind.REPORT))
    lesions = [(one.level, one.decision) for one in findings if one.name == "Lesion"]
    assert lesions == [("study", Decision.PRESENT), ("image 1", Decision.PRESENT)]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_report_of_too_little_states_nothing_absent(count: int, images: Images) -> None:
    prediction = seen(images([0.1] * count), MANY)
    report = made(prediction, ResultKind.REPORT)
    findings = read_findings(report)
    assert [(one.level, one.decision) for one in findings if one.name == "Lesion"] == [
        ("study", Decision.UNDETERMINED)
    ]
    assert all(one.peak is None for one in findings), "the map of what is absent points nowhere"
    [incomplete, reason] = read_reservations(report)
    assert incomplete.startswith(f"incompletely analysed, {count} of {count + 27} images")
    assert reason.endswith("27 unreadable (image 2, image 3, 25 more)")
    codes = words(report)
    assert "INCOMPLETE" in codes
    assert "NOTREADABLE" in codes
    assert "121054" not in codes, "Absent"


def test_a_message_and_a_bundle_of_too_little(images: Images) -> None:
    prediction = seen(images([0.1]), MANY)
    message = made(prediction, ResultKind.HL7).decode()
    assert "Nothing found" not in message
    assert "|absent|" not in message
    assert "|INCOMPLETE^Incompletely analysed: images not looked at^99PACSAI|" in message
    bundle = json.loads(made(prediction, ResultKind.FHIR))
    resources = [entry["resource"] for entry in bundle["entry"]]
    report = resources[0]
    assert report["status"] == "partial"
    assert report["conclusion"].startswith(
        "Incompletely analysed: 1 of 28 images; No finding, Lesion: undetermined"
    )
    codes = [
        resource["code"]["coding"][0]["code"]
        for resource in resources
        if resource["resourceType"] == "Observation"
    ]
    assert codes[-2:] == ["INCOMPLETE", "NOTREADABLE"]
    said = [one["interpretation"][0] for one in resources if "interpretation" in one]
    assert [one["coding"][0]["code"] for one in said] == ["IND", "IND"]


def test_a_picture_of_too_little_has_no_plain_nothing_found(images: Images) -> None:
    image = images([0.1])[0]
    lines = legend(image, MANY)
    assert lines[0] == "Incompletely analysed: 1 of 28 images"
    assert NOTHING not in lines
    assert not any("absent" in line for line in lines)
    assert "Caution: incompletely analysed, 1 of 28 images analysed, 27 unreadable" in lines
    whole = legend(image, LeftOut())
    assert whole[0] == NOTHING
    assert not any("Caution" in line for line in whole)


def test_other_series_are_told_and_are_no_reason_for_reserve(images: Images) -> None:
    prediction = seen(images([0.1, 0.1]), LeftOut(other_series=2))
    assert prediction.reservations == ()
    message = made(prediction, ResultKind.HL7).decode()
    assert "2 of 2 images analysed, of 1 of 3 series." in message
