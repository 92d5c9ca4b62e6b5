"""The contact sheet: which images it shows, where they lie, what is written, what it refers to."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage, JPEGBaseline8Bit

from pacs_ai.coverage import LeftOut, Unseen
from pacs_ai.domain import ImagePrediction, ResultKind, StudyPrediction
from pacs_ai.model.reservations import reservations_of
from pacs_ai.results.content.selection import ShownClass, contact_images
from pacs_ai.results.images.contact_sheet import build_contact_sheet
from pacs_ai.results.images.legend import sheet_legend, tile_lines
from pacs_ai.results.images.lettering import WHITE
from pacs_ai.results.images.tile_grid import LONGEST, grid_of
from tests.unit.results.conftest import Images
from tests.unit.results.images.test_tile_grid import image_part
from tests.unit.results.samples import (
    FOURTEEN_CLASSES,
    analysed,
    blob,
    checked,
    ct_slice,
    image,
    model,
    radiograph,
    save,
    study,
)


def sheet(prediction: StudyPrediction) -> Dataset:
    [made] = checked(prediction, ResultKind.CONTACT_SHEET)
    return made


def shown(prediction: StudyPrediction) -> list[int]:
    return [one.image for one in contact_images(prediction)]


def captions(prediction: StudyPrediction, *, series: bool = False) -> list[tuple[str, str]]:
    tiles = contact_images(prediction)
    lines = (tile_lines(prediction, one, series=series) for one in tiles)
    return [(said.text, place.text) for said, place in lines]


def legend(prediction: StudyPrediction) -> list[str]:
    drawn = sheet_legend(prediction, contact_images(prediction), bar=True)
    return [line.text for line in drawn.lines]


def test_the_decisive_image_comes_first_then_the_more_probable(images: Images) -> None:
    prediction = study(images([0.1, 0.6, 0.95, 0.3, 0.7]))
    assert shown(prediction) == [2, 4, 1, 3, 0]
    assert [one.found for one in contact_images(prediction)] == [True] * 3 + [False] * 2


@pytest.mark.parametrize("count", range(1, 31))
def test_every_image_is_shown_once_and_nine_at_most(images: Images, count: int) -> None:
    tiles = shown(study(images([0.3 + 0.02 * n for n in range(count)])))
    assert tiles == list(range(count - 1, max(-1, count - 10), -1))


def many(folder: Path, chances: Sequence[Sequence[float]]) -> StudyPrediction:
    seen = [
        image(save(ct_slice(number), folder / f"{number}.dcm"), (*p, *[0.1] * (14 - len(p))))
        for number, p in enumerate(chances, start=1)
    ]
    return study(seen, model(FOURTEEN_CLASSES, "sigmoid"))


def test_each_class_is_shown_where_it_is_most_probable(tmp_path: Path) -> None:
    """On one image both; the third image is shown with the class that is read first there."""
    prediction = many(tmp_path, [(0.9, 0.8), (0.2, 0.2), (0.2, 0.6)])
    tiles = contact_images(prediction)
    assert tiles[:3] == (ShownClass(0, 0, True), ShownClass(0, 1, True), ShownClass(2, 1, True))
    assert [one.image for one in tiles] == [0, 0, 2, 1]
    assert "3 of 3 analysed images" in sheet(prediction).DerivationDescription
    assert len(sheet(prediction).SourceImageSequence) == 3


def test_more_classes_than_places_leave_the_least_probable_out(tmp_path: Path) -> None:
    prediction = many(tmp_path, [[0.95 - 0.02 * n for n in range(14)]])
    assert [one.class_index for one in contact_images(prediction)] == list(range(9))


def test_what_is_undetermined_goes_before_what_is_absent(images: Images) -> None:
    spec = replace(model().classes[1], undetermined=(0.4, 0.6))
    identity = replace(model(), classes=(model().classes[0], spec))
    prediction = study(images([0.1, 0.45, 0.9, 0.39]), identity)
    assert shown(prediction) == [2, 1, 3, 0]
    assert [said for said, _ in captions(prediction)] == [
        *("Lesion: present, 90.00 %", "Lesion: undetermined, 45.00 %"),
        *("Lesion: absent, 39.00 %", "Lesion: absent, 10.00 %"),
    ]


def test_a_negative_study_has_a_sheet_that_says_so(images: Images) -> None:
    prediction = study(images([0.1, 0.3]))
    assert shown(prediction) == [1, 0]
    assert legend(prediction) == [
        "Nothing found (whole study)",
        "all 2 analysed images, the most important first   threshold 50 %   model demo 1.2.3",
        "AI RESEARCH - NOT FOR CLINICAL USE",
    ]
    colours = {
        tile_lines(prediction, one, series=False)[0].colour for one in contact_images(prediction)
    }
    assert colours == {WHITE}


def test_the_headline_is_about_the_study_and_names_three_classes(tmp_path: Path) -> None:
    prediction = many(tmp_path, [(0.9, 0.8, 0.7, 0.6), (0.1, 0.1, 0.75, 0.1)])
    first, *_ = legend(prediction)
    assert first == (
        "Sign 0: present, 90.00 %; Sign 1: present, 80.00 %; Sign 2: present, 75.00 %; 1 more"
        " (whole study)"
    )


def test_of_a_study_that_was_analysed_incompletely_nothing_is_called_absent(
    images: Images,
) -> None:
    prediction = replace(study(images([0.1, 0.2])), left_out=LeftOut(unreadable=Unseen(9)))
    prediction = replace(prediction, reservations=reservations_of(prediction))
    first, _, *cautions, _ = legend(prediction)
    assert first == "Incompletely analysed: 2 of 11 images"
    assert all(caution.startswith("Caution: ") for caution in cautions)
    assert [said for said, _ in captions(prediction)] == ["Lesion: 20.00 %", "Lesion: 10.00 %"]


def test_a_caption_says_series_view_side_and_number(tmp_path: Path) -> None:
    views = [("CC", "L", 1), ("MLO", "R", 2)]
    seen = []
    for number, (view, side, series) in enumerate(views, start=1):
        source = radiograph(number, ViewPosition=view, ImageLaterality=side, SeriesNumber=series)
        source.SeriesInstanceUID = f"1.2.3.4.{series}"
        seen.append(image(save(source, tmp_path / f"{number}.dcm"), (0.1, 0.9 - number / 10)))
    found = [place for _, place in captions(study(seen), series=True)]
    assert found == ["series 1   view CC   left   image 1", "series 2   view MLO   right   image 2"]


def test_an_image_of_another_shape_stands_in_the_middle_undistorted(tmp_path: Path) -> None:
    shapes = [(96, 64), (64, 96)]
    seen = [
        image(
            save(
                radiograph(n, Rows=r, Columns=c, PixelData=bytes(2 * r * c)), tmp_path / f"{n}.dcm"
            ),
            (0.1, 0.9 - n / 10),
            np.zeros((7, 7), np.float32),
        )
        for n, (r, c) in enumerate(shapes, start=1)
    ]
    prediction = study(seen)
    [made] = build_contact_sheet(
        replace(
            analysed(prediction),
            shown=lambda one: np.ones((one.header.rows, one.header.columns), np.float32),
        )
    )
    assert made.Rows / made.Columns == pytest.approx(96 / 64, rel=0.01)
    legend_lines = sheet_legend(prediction, contact_images(prediction), bar=False)
    grid = grid_of(2, shapes[0], 1, legend_lines)
    second = image_part(grid, made.pixel_array, 1)
    rows, columns = (second == 255).all(axis=2).nonzero()
    assert (np.ptp(columns) + 1) / (np.ptp(rows) + 1) == pytest.approx(96 / 64, rel=0.02)
    assert abs(rows.min() - (grid.size[0] - 1 - rows.max())) <= 1


def test_a_sheet_refers_to_what_it_shows_and_to_nothing_else(images: Images) -> None:
    made = sheet(study(images([0.2 + 0.03 * n for n in range(12)])))
    named = [one.ReferencedSOPInstanceUID for one in made.SourceImageSequence]
    assert named == [f"1.2.3.4.{number}" for number in range(12, 3, -1)]
    for item in made.SourceImageSequence:
        assert item.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
        assert item.SpatialLocationsPreserved == "NO"
    assert "9 of 12 analysed images" in made.DerivationDescription
    assert (made.InstanceNumber, made.Modality, made.BurnedInAnnotation) == (1, "OT", "YES")


def test_frames_of_one_instance_are_named_in_one_item(tmp_path: Path) -> None:
    path = save(ct_slice(SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=3), tmp_path / "1.dcm")
    seen = [image(path, (0.1, p), frame=frame) for frame, p in ((1, 0.2), (2, 0.9), (3, 0.7))]
    [item] = sheet(study(seen)).SourceImageSequence
    assert item.ReferencedFrameNumber == [2, 3, 1]
    assert [place for _, place in captions(study(seen))] == [
        f"image 1, frame {frame}" for frame in (2, 3, 1)
    ]


def pair(folder: Path, first: dict[str, object], second: dict[str, object]) -> Dataset:
    seen: list[ImagePrediction] = []
    for number, values in enumerate((first, second), start=1):
        path = save(radiograph(number, **values), folder / f"{number}.dcm")
        seen.append(image(path, (0.1, 0.9 - number / 10)))
    return sheet(study(seen))


@pytest.mark.parametrize("other", [True, False])
def test_only_what_is_true_of_all_images_is_stated(tmp_path: Path, *, other: bool) -> None:
    left = {"BodyPartExamined": "BREAST", "ImageLaterality": "L", "PatientOrientation": ["A", "R"]}
    right = {"BodyPartExamined": "BREAST", "ImageLaterality": "R", "PatientOrientation": ["P", "L"]}
    made = pair(tmp_path, left, right if other else left)
    assert made.BodyPartExamined == "BREAST"
    assert made.Laterality == ("" if other else "L")
    assert made.PatientOrientation == ("" if other else ["A", "R"])


def test_a_sheet_with_a_lossy_image_is_lossy(tmp_path: Path) -> None:
    lossy = {"LossyImageCompression": "01", "LossyImageCompressionRatio": "12"}
    made = pair(tmp_path, {}, {**lossy, "LossyImageCompressionMethod": "ISO_10918_1"})
    assert made.LossyImageCompression == "01"
    assert made.LossyImageCompressionRatio == 12
    assert pair(tmp_path, {}, {}).LossyImageCompression == "00"


def test_the_syntax_of_a_later_image_tells_that_it_is_lossy(images: Images) -> None:
    first, second = images([0.9, 0.8])
    header = replace(second.header, transfer_syntax_uid=JPEGBaseline8Bit)
    assert sheet(study([first, replace(second, header=header)])).LossyImageCompression == "01"


def test_colours_stay_colours_where_the_map_is_zero(tmp_path: Path) -> None:
    seen = image(
        save(ct_slice(PixelSpacing=[1, 1]), tmp_path / "1.dcm"), (0.1, 0.9), blob(0.1, 0.1)
    )
    green = np.zeros((96, 64, 3), np.uint8)
    green[..., 1] = 200
    [made] = build_contact_sheet(replace(analysed(study([seen])), shown=lambda _: green))
    grid = grid_of(
        1, (96, 64), 1, sheet_legend(study([seen]), contact_images(study([seen])), bar=True)
    )
    assert (image_part(grid, made.pixel_array, 0)[-40:] == (0, 200, 0)).all()


def test_what_explains_nothing_has_no_colours(images: Images) -> None:
    seen = [replace(one, saliency=one.saliency * 0) for one in images([0.9, 0.8])]
    made = sheet(study(seen))
    assert "without heat map" in made.DerivationDescription
    drawn = sheet_legend(study(seen), contact_images(study(seen)), bar=False)
    assert "no explanation: the heat maps are flat" in drawn.lines[1].text


def test_another_image_makes_another_sheet_and_the_same_makes_the_same(images: Images) -> None:
    seen = images([0.9 - 0.01 * n for n in range(11)])
    uids = [sheet(study(part)).SOPInstanceUID for part in (seen, seen, seen[:10], seen[:1])]
    assert uids[0] == uids[1]
    assert len(set(uids)) == 3


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3000), (3000, 1)])
def test_no_shape_is_too_strange(tmp_path: Path, rows: int, columns: int) -> None:
    source = radiograph(Rows=rows, Columns=columns, PixelData=bytes(rows * columns * 2))
    made = sheet(study([image(save(source, tmp_path / "1.dcm"), (0.1, 0.9))] * 3))
    assert max(made.Rows, made.Columns) <= 1.1 * LONGEST
    assert min(made.Rows, made.Columns) >= 32
