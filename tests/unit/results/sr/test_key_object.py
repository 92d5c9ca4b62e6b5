from dataclasses import replace

from pydicom.uid import EnhancedMRImageStorage

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.results.content.positive_images import (
    MAX_POSITIVE_IMAGES,
    explained_images,
    positive_images,
)
from pacs_ai.results.sr.key_object import build_key_object
from tests.unit.results.conftest import Images
from tests.unit.results.samples import analysed, ct_slice, image, model, save, study


def chosen(prediction) -> list[str]:
    made = next(build_key_object(analysed(prediction)))
    assert check_dataset(made) == []
    evidence = made.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    named = [
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in made.ContentSequence
        if item.ValueType == "IMAGE"
    ]
    listed = [item.ReferencedSOPInstanceUID for item in evidence.ReferencedSOPSequence]
    assert sorted(set(named)) == sorted(listed)
    return named


def test_the_images_a_class_is_present_on_are_chosen_in_their_order(images: Images) -> None:
    assert chosen(study(images([0.6, 0.1, 0.9]))) == ["1.2.3.4.1", "1.2.3.4.3"]


def test_no_image_has_a_name_which_the_template_forbids(images: Images) -> None:
    prediction = study(images([0.9]))
    made = next(build_key_object(analysed(prediction)))
    [item] = [item for item in made.ContentSequence if item.ValueType == "IMAGE"]
    assert "ConceptNameCodeSequence" not in item
    [text] = [item.TextValue for item in made.ContentSequence if item.ValueType == "TEXT"][-1:]
    assert text == "Lesion - AI research, not for clinical use; demo 1.2.3"


def test_a_negative_study_has_no_key_object(images: Images) -> None:
    prediction = study(images([0.1]))
    assert list(build_key_object(analysed(prediction))) == []


def test_frames_are_named_by_their_number(tmp_path) -> None:
    source = ct_slice(SOPClassUID=EnhancedMRImageStorage, NumberOfFrames=3, PixelData=bytes(36864))
    path = save(source, tmp_path / "1.dcm")
    prediction = study([image(path, (1 - p, p), frame=n) for n, p in ((1, 0.1), (2, 0.8))])
    made = next(build_key_object(analysed(prediction)))
    [item] = [item for item in made.ContentSequence if item.ValueType == "IMAGE"]
    assert item.ReferencedSOPSequence[0].ReferencedFrameNumber == 2


def test_of_a_long_series_the_most_probable_are_shown(images: Images) -> None:
    lesion = [0.6 + 0.01 * n for n in range(MAX_POSITIVE_IMAGES + 4)]
    [found] = positive_images(study(images(lesion)))
    assert [i.probabilities[1] for i in found.images] == lesion[4:]


def test_present_in_the_mean_and_on_no_image_shows_the_nearest(images: Images) -> None:
    seen = images([0.45, 0.4])
    prediction = replace(study(seen, model()), probabilities=(0.4, 0.6))
    [found] = positive_images(prediction)
    assert [i.header.instance_number for i in found.images] == [1]


def test_maps_of_huge_images_are_fewer(images: Images) -> None:
    large = [
        replace(one, header=replace(one.header, rows=4096, columns=4096))
        for one in images([0.6, 0.9, 0.7, 0.8, 0.65])
    ]
    [found] = explained_images(study(large))
    assert [one.header.instance_number for one in found.images] == [2, 3, 4, 5]
