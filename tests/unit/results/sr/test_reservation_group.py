from dataclasses import replace

import pytest

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import StudyPrediction
from pacs_ai.model.reservations import reservations_of
from pacs_ai.results.content.reservations import reservation_text
from pacs_ai.results.sr.measurement_report import build_report
from pacs_ai.results.sr.read_report import read_findings, read_origin, read_reservations
from pacs_ai.results.sr.report_text import render_text
from tests.unit.results.conftest import Images
from tests.unit.results.samples import analysed, study
from tests.unit.results.sr.report_content import groups, number, percent


def strange(images: Images, lesion: list[float]) -> StudyPrediction:
    """A study of images unlike those of training, of another body part."""
    seen = [replace(one, outlier=2.31, misfits=("other body part",)) for one in images(lesion)]
    prediction = study(seen)
    return replace(prediction, reservations=reservations_of(prediction))


def test_the_report_warns_before_it_says_anything_else(images: Images) -> None:
    prediction = strange(images, [0.1])
    report = next(build_report(analysed(prediction)))
    assert check_dataset(report) == []
    outlier, misfit, *rest = groups(report)
    name = number(outlier)["ConceptNameCodeSequence"].value[0]
    assert name.CodeMeaning == "Unlike the training images (limit 100 %)"
    assert (percent(outlier), percent(misfit)) == (231, 100)
    points = [tuple(one["LABELPOS"].GraphicData) for one in groups(report)]
    assert points == sorted(set(points), key=lambda point: point[1]), "each below the one before"
    assert {one["111002"].TextValue for one in rest} == {"outlier=2.310"}


def test_what_it_warns_of_can_be_read_back(images: Images) -> None:
    prediction = strange(images, [0.9])
    report = next(build_report(analysed(prediction)))
    assert read_reservations(report) == [one.text for one in prediction.reservations]
    assert [one.name for one in read_findings(report)] == ["Lesion", "No finding"]
    assert read_origin(report).parameters["outlier"] == "2.310"
    assert "Caution      the image is unlike those" in render_text(report)


def test_a_report_without_reservations_has_no_caution(images: Images) -> None:
    prediction = study(images([0.9]))
    report = next(build_report(analysed(prediction)))
    assert read_reservations(report) == []
    assert "outlier" not in read_origin(report).parameters


@pytest.mark.parametrize(
    ("outlier", "misfits", "written"),
    [
        (None, (), ""),
        (1.0, (), ""),
        (1.26, (), "Caution: unlike the training images (1.3 x limit)"),
        (0.5, ("other view",), "Caution: other view"),
    ],
)
def test_a_picture_warns_of_its_own_image(
    images: Images, outlier: float | None, misfits: tuple[str, ...], written: str
) -> None:
    [seen] = images([0.9])
    assert reservation_text(replace(seen, outlier=outlier, misfits=misfits)) == written


def test_tracking_uids_of_cautions_are_stable(images: Images) -> None:
    prediction = strange(images, [0.9])
    once, again = (
        [group["112040"].UID for group in groups(next(build_report(analysed(prediction))))]
        for _ in range(2)
    )
    assert once == again
    assert len(set(once)) == len(once)
