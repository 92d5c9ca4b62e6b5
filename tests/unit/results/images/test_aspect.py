"""Pixels that are not square: what is round in the patient is round in every picture."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage, EnhancedXAImageStorage

from pacs_ai.dicom.pixel_spacing import pixel_aspect
from pacs_ai.dicom.quiet_libraries import quiet
from pacs_ai.domain import ImagePrediction, ResultKind, StudyPrediction
from pacs_ai.results.documents.illustration import illustrate
from tests.unit.results.samples import (
    analysed,
    blob,
    checked,
    ct_slice,
    image,
    radiograph,
    save,
    study,
)


def part_with_image(made: Dataset) -> tuple[int, int]:
    """Rows and columns of the image in a capture, as the capture says."""
    found = re.search(r"upper left (\d+) rows and (\d+) columns", made.DerivationDescription)
    assert found is not None
    return int(found[1]), int(found[2])


Pixels = npt.NDArray[np.uint8]


def item(**values: object) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def groups(macro: str, **values: object) -> list[Dataset]:
    return [item(**{macro: [item(**values)]})]


def statements(high: float, wide: float) -> dict[str, Dataset]:
    """Every way to say how high and wide a pixel is."""
    pair = [high, wide]
    shape = {"Rows": 200, "Columns": 200, "PixelData": bytes(80000)}
    measures = groups("PixelMeasuresSequence", PixelSpacing=pair)
    detector = groups("FramePixelDataPropertiesSequence", ImagerPixelSpacing=pair)
    enhanced = {**shape, "SOPClassUID": EnhancedCTImageStorage, "PixelSpacing": None}
    empty = groups("PixelMeasuresSequence", PixelSpacing="")
    return {
        "ct": ct_slice(PixelSpacing=pair, **shape),
        "detector": radiograph(ImagerPixelSpacing=pair, **shape),
        "calibrated": radiograph(PixelSpacing=pair, ImagerPixelSpacing=[1, 1], **shape),
        "film": radiograph(NominalScannedPixelSpacing=pair, **shape),
        "ratio": radiograph(PixelAspectRatio=[round(high * 10), round(wide * 10)], **shape),
        "shared": ct_slice(SharedFunctionalGroupsSequence=measures, **enhanced),
        "frame": ct_slice(PerFrameFunctionalGroupsSequence=measures, **enhanced),
        "empty frame": ct_slice(
            SharedFunctionalGroupsSequence=measures,
            PerFrameFunctionalGroupsSequence=empty,
            **enhanced,
        ),
        "angiography": radiograph(
            SharedFunctionalGroupsSequence=detector,
            **{**shape, "SOPClassUID": EnhancedXAImageStorage, "Modality": "XA"},
        ),
    }


KINDS = list(statements(1, 1))
RATIOS = [(2.0, 1.0), (0.5, 0.6)]


def disc(aspect: float, rows: int = 200, columns: int = 200) -> npt.NDArray[np.float32]:
    """A disc in the upper half of an image, in units of the patient."""
    y, x = np.mgrid[:rows, :columns]
    high, wide = max(aspect, 1.0), max(1 / aspect, 1.0)
    radius = 0.2 * min(rows * high, columns * wide)
    return np.where(
        np.hypot((y - 0.4 * rows) * high, (x - 0.5 * columns) * wide) < radius, 1, 0
    ).astype(np.float32)


def roundness(pixels: Pixels) -> float:
    """Height of what is bright, in proportion to its width; the legend below is left out."""
    bright = pixels[: round(0.7 * len(pixels)), :, 1] > 128
    y, x = np.nonzero(bright)
    return float((np.ptp(y) + 1) / (np.ptp(x) + 1))


@pytest.fixture
def seen(tmp_path: Path, source: Dataset) -> StudyPrediction:
    return study([image(save(source, tmp_path / "1.dcm"), (0.9, 0.1), np.zeros((7, 7), "f4"))])


@pytest.fixture
def source(kind: str, ratio: tuple[float, float]) -> Dataset:
    return statements(*ratio)[kind]


def objects(prediction: StudyPrediction, kind: ResultKind, aspect: float) -> list[Dataset]:
    def grey(one: ImagePrediction) -> npt.NDArray[np.float32]:
        return disc(aspect, one.header.rows, one.header.columns)

    return checked(prediction, kind, grey)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_a_disc_is_round_in_every_picture(
    seen: StudyPrediction, ratio: tuple[float, float]
) -> None:
    aspect = ratio[0] / ratio[1]
    for style in (ResultKind.CAPTURE, ResultKind.STACK, ResultKind.CONTACT_SHEET):
        [made] = objects(seen, style, aspect)
        assert roundness(made.pixel_array) == pytest.approx(1, abs=0.03)
        assert not {"PixelSpacing", "PixelAspectRatio"} & set(made.dir()), "its pixels are square"
    [beside] = objects(seen, ResultKind.SIDE_BY_SIDE, aspect)
    assert roundness(beside.pixel_array[:, : beside.Columns // 2]) == pytest.approx(1, abs=0.03)
    page = illustrate(replace(analysed(seen), shown=lambda _: disc(aspect)))
    assert roundness(page.pixels) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("kind", ["ct"])
@pytest.mark.parametrize("ratio", RATIOS)
def test_a_picture_covers_what_its_source_covers(
    seen: StudyPrediction, source: Dataset, ratio: tuple[float, float]
) -> None:
    [made] = objects(seen, ResultKind.CAPTURE, ratio[0] / ratio[1])
    covered = [200 * spacing for spacing in source.PixelSpacing]
    rows, columns = part_with_image(made)
    assert rows / columns == pytest.approx(covered[0] / covered[1], rel=0.005)


@pytest.mark.parametrize("kind", ["film", "detector", "frame", "angiography"])
@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("style", [ResultKind.MAP, ResultKind.SEG, ResultKind.LABEL_MAP])
def test_what_is_on_the_grid_of_the_source_carries_its_spacing(
    tmp_path: Path, source: Dataset, ratio: tuple[float, float], style: ResultKind
) -> None:
    found = study([image(save(source, tmp_path / "1.dcm"), (0.1, 0.9), blob())])
    [made] = objects(found, style, 1)
    assert (made.Rows, made.Columns) == (source.Rows, source.Columns)
    measures = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.PixelSpacing == list(ratio)


@pytest.mark.parametrize(
    "pair", [[0, 1], [1, 0], [-1, 1], [1], ["nan", 1], [0.3, 0.00001], [0.5001, 0.5], ""]
)
def test_what_cannot_be_or_is_rounded_is_square(pair: object) -> None:
    with quiet():
        assert pixel_aspect(radiograph(ImagerPixelSpacing=pair), 1) == 1


def test_a_spacing_that_cannot_be_is_not_taken_for_the_next_one() -> None:
    source = radiograph(ImagerPixelSpacing=[0, 0], PixelAspectRatio=[3, 2])
    assert pixel_aspect(source, 1) == 1.5


def enhanced_slices(count: int) -> Dataset:
    frames = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[1, 2, 5.0 * n])],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])],
        )
        for n in range(count)
    ]
    measures = item(PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.5], SliceThickness=5)])
    return ct_slice(
        SOPClassUID=EnhancedCTImageStorage,
        NumberOfFrames=count,
        ImagePositionPatient=None,
        ImageOrientationPatient=None,
        PixelSpacing=None,
        SliceThickness=None,
        SharedFunctionalGroupsSequence=[measures],
        PerFrameFunctionalGroupsSequence=frames,
    )


def test_a_stack_of_an_enhanced_image_is_directed_as_its_frames_are(tmp_path: Path) -> None:
    path = save(enhanced_slices(3), tmp_path / "1.dcm")
    seen = study([image(path, (0.1, 0.9), frame=frame) for frame in (1, 2, 3)])
    made = objects(seen, ResultKind.STACK, 1)
    assert [one.PatientOrientation for one in made] == [["P", "F"]] * 3
