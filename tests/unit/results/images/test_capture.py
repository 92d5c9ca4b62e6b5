from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000, EnhancedCTImageStorage, JPEGBaseline8Bit

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import StudyPrediction
from pacs_ai.results.content.selection import captures, every_image
from pacs_ai.results.images import capture as capture_module
from pacs_ai.results.images.capture import build_capture
from pacs_ai.results.images.lettering import Legend
from pacs_ai.results.images.overlay import draw
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    CONTEXT,
    FOURTEEN_CLASSES,
    LESION,
    NO_FINDING,
    analysed,
    ct_slice,
    image,
    model,
    radiograph,
    save,
    study,
)


def capture(prediction: StudyPrediction, number: int = 0) -> Dataset:
    made = build_capture(analysed(prediction), captures(prediction)[number])
    assert check_dataset(made) == []
    return made


def coloured(made: Dataset) -> int:
    """Strongly coloured pixels left of the colour bar and above the legend."""
    pixels = made.pixel_array[: int(0.8 * made.Rows), : int(0.8 * made.Columns)].astype(int)
    return int((np.ptp(pixels, axis=2) > 30).sum())


def test_a_capture_is_an_rgb_secondary_capture_of_its_source(images: Images) -> None:
    made = capture(study(images([0.9], PixelSpacing=[0.5, 0.5])))
    assert made.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert (made.Modality, made.PhotometricInterpretation) == ("OT", "RGB")
    assert made.ImageType[:2] == ["DERIVED", "SECONDARY"]
    assert made.BurnedInAnnotation == "YES"
    assert (made.Rows, made.Columns) == (891, 594)
    assert made.pixel_array.shape == (891, 594, 3)
    assert "; image in the upper left 768 rows and 512 columns" in made.DerivationDescription
    [source] = made.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == "1.2.3.4.1"
    assert "ReferencedFrameNumber" not in source
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert "Lesion" in made.DerivationDescription
    assert made.SeriesNumber == CONTEXT.series_number_base + 1
    assert str(made.DateOfSecondaryCapture) == str(made.ContentDate)


def test_a_finding_is_painted_and_a_negative_only_faintly(images: Images) -> None:
    positive, negative = (capture(study(images([p]))) for p in (0.9, 0.1))
    assert coloured(positive) > 0.05 * positive.Rows * positive.Columns
    assert 0 < coloured(negative) < 0.8 * coloured(positive)


def test_a_flat_map_is_not_painted_and_said_to_explain_nothing(tmp_path: Path) -> None:
    found = image(save(ct_slice(), tmp_path / "1.dcm"), (0.1, 0.9))
    for level in (0.0, 0.7):
        flat = replace(found, saliency=np.full_like(found.saliency, level))
        made = capture(study([flat]))
        assert coloured(made) == 0
        assert "explains nothing" in made.DerivationDescription


@pytest.fixture
def legends(monkeypatch: pytest.MonkeyPatch) -> list[Legend]:
    """The legends that were drawn."""
    drawn: list[Legend] = []

    def watched(*arguments: object) -> object:
        drawn.append(arguments[2])
        return draw(*arguments)

    monkeypatch.setattr(capture_module, "draw", watched)
    return drawn


@pytest.mark.parametrize(
    ("probability", "written"),
    [
        (0.999999, ">99.99 %"),
        (1.0, "100.00 %"),
        (0.93, "93.00 %"),
        (0.00004, "<0.01 %"),
        (0.0, "0.00 %"),
    ],
)
def test_a_probability_is_not_rounded_to_certainty(
    images: Images, legends: list[Legend], probability: float, written: str
) -> None:
    specs = (NO_FINDING, replace(LESION, name="lesion", threshold=0.0))
    prediction = study(images([probability]), model(specs))
    capture(prediction)
    assert legends[0].lines[0].text == f"Lesion: present, {written}"


def written(legend: Legend) -> list[str]:
    return [line.text for line in legend.lines]


def test_where_nothing_is_found_that_comes_first(images: Images, legends: list[Legend]) -> None:
    capture(study(images([0.07])))
    assert written(legends[0]) == [
        "Nothing found",
        "Lesion: absent, 7.00 %, threshold 50 %   model demo 1.2.3   image 1",
        "AI RESEARCH - NOT FOR CLINICAL USE",
    ]


def test_a_picture_says_what_is_found_as_the_report_does(
    images: Images, legends: list[Legend]
) -> None:
    specs = (NO_FINDING, replace(LESION, threshold=0.4907))
    capture(study(images([0.4912]), model(specs)))
    assert written(legends[0])[:2] == [
        "Lesion: present, 49.12 %",
        "threshold 49.07 %   model demo 1.2.3   image 1",
    ]


def test_an_image_with_another_finding_is_not_said_to_have_none(
    tmp_path: Path, legends: list[Legend]
) -> None:
    """Of a stack, which shows one class, some images have another."""
    chances = [[0.9, *[0.1] * 13], [0.2, 0.8, *[0.1] * 12], [0.1] * 14]
    seen = [
        image(save(ct_slice(number), tmp_path / f"{number}.dcm"), p)
        for number, p in enumerate(chances, start=1)
    ]
    prediction = study(seen, model(FOURTEEN_CLASSES, "sigmoid"))
    for shown in every_image(prediction):
        build_capture(analysed(prediction), shown)
    assert [written(legend)[0] for legend in legends] == [
        "Sign 0: present, 90.00 %",
        "Sign 0: absent, 20.00 %",
        "Nothing found",
    ]


def test_what_is_undetermined_is_drawn_before_what_is_absent(
    tmp_path: Path, legends: list[Legend]
) -> None:
    unsure = replace(FOURTEEN_CLASSES[1], undetermined=(0.3, 0.7))
    specs = (FOURTEEN_CLASSES[0], unsure)
    paths = [save(ct_slice(number), tmp_path / f"{number}.dcm") for number in (1, 2)]
    seen = [image(path, p) for path, p in zip(paths, ((0.49, 0.1), (0.1, 0.35)), strict=True)]
    made = capture(study(seen, model(specs, "sigmoid")))
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.2"
    assert written(legends[0])[:2] == [
        "Sign 1: undetermined, 35.00 %",
        "threshold 50 %, undetermined 30 to 70 %   model demo 1.2.3   image 2",
    ]


def test_an_image_above_the_operating_point_says_so_where_the_mean_is_below(
    images: Images, legends: list[Legend]
) -> None:
    prediction = replace(study(images([0.9, 0.02])), probabilities=(0.54, 0.46))
    made = capture(prediction)
    assert written(legends[0])[0] == "Lesion: present, 90.00 %"
    assert "opacity of 0.6" in made.DerivationDescription


def test_a_picture_says_which_view_side_and_frame_it_shows(
    tmp_path: Path, legends: list[Legend]
) -> None:
    view = radiograph(Modality="MG", ViewPosition="CC", ImageLaterality="L", InstanceNumber=7)
    loop = ct_slice(SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=3)
    unknown = radiograph(InstanceNumber=None)
    for number, (source, frame) in enumerate(((view, 1), (loop, 2), (unknown, 1))):
        path = save(source, tmp_path / f"{number}.dcm")
        capture(study([image(path, (0.1, 0.9), frame=frame)]))
    details = [written(legend)[1].partition("model demo 1.2.3")[2] for legend in legends]
    assert details == ["   view CC   left   image 7", "   frame 2 of 3", ""]


def test_no_name_and_no_number_of_the_patient_is_drawn_or_described(images: Images) -> None:
    plain, named = (
        capture(study(images([0.9], PatientName=name, PatientID=name)))
        for name in ("", "Somebody^Else")
    )
    assert plain.PixelData == named.PixelData
    assert plain.DerivationDescription == named.DerivationDescription


def test_a_capture_of_a_frame_says_which(tmp_path: Path) -> None:
    path = save(ct_slice(SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=3), tmp_path / "1.dcm")
    made = [
        capture(study([image(path, (0.1, 0.9), frame=frame)])).SourceImageSequence[0]
        for frame in (1, 3)
    ]
    assert [item.ReferencedFrameNumber for item in made] == [1, 3]


def test_frames_of_a_class_that_has_none_are_not_named(tmp_path: Path) -> None:
    path = save(ct_slice(NumberOfFrames=3), tmp_path / "1.dcm")
    [item] = capture(study([image(path, (0.1, 0.9), frame=2)])).SourceImageSequence
    assert "ReferencedFrameNumber" not in item


def test_captures_of_several_images_and_classes_are_different_objects(tmp_path: Path) -> None:
    path = save(ct_slice(NumberOfFrames=2), tmp_path / "1.dcm")
    loud = [0.9, 0.8] + [0.1] * 12
    frames = [image(path, loud, frame=frame) for frame in (1, 2)]
    prediction = study(frames, model(FOURTEEN_CLASSES, "sigmoid"))
    made = [capture(prediction, number) for number in range(3)]
    assert len({one.SOPInstanceUID for one in made}) == 3
    assert sorted(int(one.InstanceNumber) for one in made) == [101, 101, 201]
    assert len({one.SeriesInstanceUID for one in made}) == 1
    assert len({one.PixelData for one in made}) == 3


def test_a_capture_stays_the_same_object_when_its_study_grows(images: Images) -> None:
    first, second = images([0.9, 0.6])
    alone, grown = (capture(study(found)) for found in ([first], [first, second]))
    assert alone.SOPInstanceUID == grown.SOPInstanceUID
    assert alone.PixelData == grown.PixelData
    assert alone.InstanceNumber == grown.InstanceNumber


def test_body_part_and_side_are_taken_over(images: Images) -> None:
    made = capture(study(images([0.9], BodyPartExamined="KNEE", ImageLaterality="L")))
    assert (made.BodyPartExamined, made.Laterality) == ("KNEE", "L")
    made = capture(study(images([0.9])))
    assert made.BodyPartExamined == "CHEST"
    assert "Laterality" not in made


def test_a_part_without_sides_gets_none(images: Images) -> None:
    made = capture(study(images([0.9], Laterality="L")))
    assert made.BodyPartExamined == "CHEST"
    assert "Laterality" not in made


def test_the_side_of_a_paired_part_is_open_where_the_source_is_silent(images: Images) -> None:
    made = capture(study(images([0.9], BodyPartExamined="HAND")))
    assert (made.BodyPartExamined, made.Laterality) == ("HAND", "")


@pytest.mark.parametrize("side", [None, "", "X"])
def test_where_part_and_side_are_unknown_the_side_is_left_open(
    images: Images, side: str | None
) -> None:
    values = {} if side is None else {"Laterality": side}
    made = capture(study(images([0.9], BodyPartExamined=None, **values)))
    assert made.Laterality == ""


def test_the_history_of_lossy_compression_is_kept(images: Images) -> None:
    lossy = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": "10.5",
        "LossyImageCompressionMethod": "ISO_10918_1",
    }
    made = capture(study(images([0.9], **lossy)))
    assert {keyword: str(made[keyword].value) for keyword in lossy} == lossy
    assert capture(study(images([0.9]))).LossyImageCompression == "00"


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000])
def test_a_lossy_encoding_counts_where_the_header_is_silent(images: Images, syntax: str) -> None:
    [found] = images([0.9])
    sent = replace(found, header=replace(found.header, transfer_syntax_uid=syntax))
    assert capture(study([sent])).LossyImageCompression == "01"


def test_a_large_radiograph_keeps_its_size(tmp_path: Path) -> None:
    source = radiograph(Rows=1000, Columns=1400, PixelData=bytes(1000 * 1400 * 2))
    made = capture(study([image(save(source, tmp_path / "1.dcm"), (0.1, 0.9))]))
    assert (made.Rows, made.Columns) == (1200, 1680)
    assert "PixelSpacing" not in made
    assert made.PatientOrientation == ["L", "F"]


def test_pixel_data_of_odd_length_is_padded(tmp_path: Path) -> None:
    source = radiograph(Rows=502, Columns=502, PixelData=bytes(502 * 502 * 2))
    made = capture(study([image(save(source, tmp_path / "1.dcm"), (0.1, 0.9))]))
    odd = made.Rows * made.Columns * 3
    assert odd % 2 == 1
    assert len(made.PixelData) == odd + 1
