"""Stacks that scroll with their source, and pictures beside the image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import EnhancedCTImageStorage

from pacs_ai.domain import ResultKind
from pacs_ai.results.build import build_results
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    CONTEXT,
    FOURTEEN_CLASSES,
    checked,
    ct_slice,
    grey,
    image,
    model,
    radiograph,
    save,
    study,
)

FORMS = (
    *(ResultKind.CAPTURE, ResultKind.STACK),
    *(ResultKind.SIDE_BY_SIDE, ResultKind.CONTACT_SHEET),
)


def test_a_stack_has_every_image_in_the_order_of_its_source(images: Images) -> None:
    lesion = [0.1, 0.6, 0.9, 0.2, 0.3]
    made = checked(study(images(lesion)), ResultKind.STACK)
    assert [one.InstanceNumber for one in made] == [1, 2, 3, 4, 5]
    assert len({one.SeriesInstanceUID for one in made}) == 1
    sources = [one.SourceImageSequence[0].ReferencedSOPInstanceUID for one in made]
    assert sources == [f"1.2.3.4.{number}" for number in range(1, 6)]


def test_a_stack_is_painted_strongly_only_where_the_class_is_found(images: Images) -> None:
    found, absent = checked(study(images([0.9, 0.2])), ResultKind.STACK)
    assert "opacity of 0.6" in found.DerivationDescription
    assert "opacity of 0.3" in absent.DerivationDescription


def test_one_colour_means_one_class_in_a_stack(tmp_path: Path) -> None:
    chances = [(0.9, 0.7, *[0.1] * 12), (0.2, 0.8, *[0.1] * 12)]
    seen = [
        image(save(ct_slice(number), tmp_path / f"{number}.dcm"), p)
        for number, p in enumerate(chances, start=1)
    ]
    made = checked(study(seen, model(FOURTEEN_CLASSES, "sigmoid")), ResultKind.STACK)
    assert all("class Sign 0," in one.DerivationDescription for one in made)


def test_frames_and_images_without_numbers_are_counted(tmp_path: Path) -> None:
    path = save(ct_slice(SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=3), tmp_path / "1.dcm")
    seen = [image(path, (0.1, 0.9), frame=frame) for frame in (1, 2, 3)]
    assert [one.InstanceNumber for one in checked(study(seen), ResultKind.STACK)] == [1, 2, 3]


def test_the_image_stands_as_it_is_at_the_left_of_its_capture(images: Images) -> None:
    prediction = study(images([0.9], PixelSpacing=[0.5, 0.5]))
    [beside] = checked(prediction, ResultKind.SIDE_BY_SIDE)
    [capture] = checked(prediction, ResultKind.CAPTURE)
    assert (beside.Rows, beside.Columns) == (1536, 1024)
    above, middle, below = np.split(beside.pixel_array, (384, 1152))
    assert (np.ptp(above, axis=2) > 60).any(), "the colour bar"
    assert not above[:, :900].any()
    assert below.any(), "the legend"
    left, right = np.hsplit(middle, 2)
    assert (np.ptp(left, axis=2) == 0).all(), "the left half is grey"
    assert np.array_equal(right, capture.pixel_array[:768, :512])


@pytest.mark.parametrize("kind", FORMS)
def test_a_picture_with_text_beside_its_image_has_no_place_in_the_patient(
    images: Images, kind: ResultKind
) -> None:
    [made] = checked(study(images([0.9])), kind)
    for keyword in ("FrameOfReferenceUID", "ImagePositionPatient", "PixelSpacing"):
        assert keyword not in made
    assert list(made.PatientOrientation) == ["L", "P"]


def test_two_halves_do_not_lie_where_their_image_does(images: Images) -> None:
    [beside] = checked(study(images([0.9])), ResultKind.SIDE_BY_SIDE)
    assert beside.SourceImageSequence[0].SpatialLocationsPreserved == "NO"


@pytest.mark.parametrize(("rows", "columns"), [(256, 256), (3000, 4000)])
def test_small_and_large_images_stay_within_what_archives_take(
    tmp_path: Path, rows: int, columns: int
) -> None:
    source = radiograph(Rows=rows, Columns=columns, PixelData=bytes(rows * columns * 2))
    prediction = study([image(save(source, tmp_path / "1.dcm"), (0.1, 0.9))])
    [capture] = checked(prediction, ResultKind.CAPTURE)
    [beside] = checked(prediction, ResultKind.SIDE_BY_SIDE)
    assert min(capture.Rows, capture.Columns) >= 512
    assert max(beside.Rows, beside.Columns) <= 4096
    assert min(beside.Rows, beside.Columns) >= 1024
    assert beside.Rows / beside.Columns == pytest.approx(rows / columns, rel=0.01)


def test_every_form_is_a_series_of_its_own(images: Images) -> None:
    prediction = study(images([0.9, 0.2]))
    made = [one for kind in FORMS for one in checked(prediction, kind)]
    assert len({one.SeriesInstanceUID for one in made}) == len(FORMS)
    assert len({one.SeriesNumber for one in made}) == len(FORMS)
    assert len({one.SOPInstanceUID for one in made}) == len(made)


def test_an_image_of_a_stack_that_explains_nothing_says_so(images: Images) -> None:
    first, second = images([0.9, 0.8])
    flat = replace(second, saliency=second.saliency * 0)
    _, made = checked(study([first, flat]), ResultKind.STACK)
    assert "explains nothing" in made.DerivationDescription


def test_pictures_are_made_one_at_a_time(images: Images) -> None:
    asked: list[int] = []

    def watched(one: object) -> object:
        asked.append(1)
        return grey(one)  # type: ignore[arg-type]

    results = build_results(study(images([0.9] * 4)), [ResultKind.STACK], CONTEXT, watched)  # type: ignore[arg-type]
    next(results)
    assert len(asked) == 1
