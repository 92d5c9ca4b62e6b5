from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement

from pacs_ai.dicom.quiet_libraries import quiet
from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import DOCUMENTS, ImagePrediction, ResultKind
from pacs_ai.errors import InvalidResult, StorageError
from pacs_ai.net.implementation import IMPLEMENTATION_VERSION
from pacs_ai.results.build import build_results
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    CONTEXT,
    LESION,
    NO_FINDING,
    ct_slice,
    grey,
    image,
    model,
    save,
    study,
)

BOTH = (ResultKind.REPORT, ResultKind.CAPTURE)
ALL_OBJECTS = tuple(kind for kind in ResultKind if kind not in DOCUMENTS)


def test_the_report_comes_last_and_the_results_are_counted(images: Images) -> None:
    made = list(build_results(study(images([0.9, 0.8, 0.1, 0.7])), BOTH, CONTEXT, grey))
    assert [(one.kind, one.number) for one in made] == [
        (ResultKind.CAPTURE, 1),
        (ResultKind.CAPTURE, 2),
        (ResultKind.CAPTURE, 3),
        (ResultKind.REPORT, 1),
    ]
    assert len({one.sop_instance_uid for one in made}) == 4
    assert len({one.series_instance_uid for one in made}) == 2
    assert {one.dataset.StudyInstanceUID for one in made} == {"1.2.3"}


def test_only_what_is_wanted_is_made_and_only_what_is_drawn_is_read(images: Images) -> None:
    asked: list[ImagePrediction] = []

    def watched(one: ImagePrediction) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        asked.append(one)
        return grey(one)

    prediction = study(images([0.1, 0.2, 0.3]))
    [report] = build_results(prediction, [ResultKind.REPORT], CONTEXT, watched)
    assert report.kind is ResultKind.REPORT
    assert asked == []
    list(build_results(prediction, BOTH, CONTEXT, watched))
    assert [one.header.sop_instance_uid for one in asked] == ["1.2.3.4.3"]


def test_the_same_job_makes_the_same_bytes(images: Images) -> None:
    prediction = study(images([0.9, 0.4]))
    once, again = (
        [one.encode() for one in build_results(prediction, BOTH, CONTEXT, grey)] for _ in range(2)
    )
    assert once == again


@pytest.mark.parametrize(
    "change", [{"site": "second"}, {"settings_hash": "other"}], ids=["site", "settings"]
)
def test_another_installation_or_setting_makes_other_objects(
    images: Images, change: dict[str, str]
) -> None:
    prediction = study(images([0.9]))
    here, there = (
        {one.sop_instance_uid for one in build_results(prediction, BOTH, context, grey)}
        for context in (CONTEXT, replace(CONTEXT, **change))
    )
    assert not here & there


def test_another_model_makes_other_objects_in_other_series(images: Images) -> None:
    prediction = study(images([0.9]))
    newer = replace(prediction, model=replace(prediction.model, version="2"))
    first, second = (list(build_results(p, BOTH, CONTEXT, grey)) for p in (prediction, newer))
    assert not {one.sop_instance_uid for one in first} & {one.sop_instance_uid for one in second}
    assert not {o.series_instance_uid for o in first} & {o.series_instance_uid for o in second}


def test_another_operating_point_of_the_same_weights_makes_other_objects(images: Images) -> None:
    """The old decision is not sent again in the name of the new one."""
    first, second = (
        study(images([0.6]), replace(model(), classes=(NO_FINDING, lesion), manifest_sha256=digest))
        for lesion, digest in ((LESION, "aa"), (replace(LESION, threshold=0.7), "bb"))
    )
    here, there = (
        {made.sop_instance_uid for made in build_results(one, [*ResultKind], CONTEXT, grey)}
        for one in (first, second)
    )
    assert here
    assert not here & there


def test_the_file_says_what_it_holds_and_who_wrote_it(images: Images, tmp_path: Path) -> None:
    for number, one in enumerate(build_results(study(images([0.9])), BOTH, CONTEXT, grey)):
        one.write(tmp_path / f"result-{number}")
        read = pydicom.dcmread(tmp_path / f"result-{number}")
        meta = read.file_meta
        assert meta.MediaStorageSOPClassUID == read.SOPClassUID == one.sop_class_uid
        assert meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID == one.sop_instance_uid
        assert meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
        assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION
        assert read.SpecificCharacterSet == "ISO_IR 192"


def test_all_results_of_a_study_agree_on_the_patient(tmp_path: Path) -> None:
    paths = [
        save(ct_slice(number, PatientName=f"Spelt^{number}"), tmp_path / f"{number}.dcm")
        for number in (1, 2)
    ]
    made = list(
        build_results(
            study([image(path, (1 - p, p)) for path, p in zip(paths, (0.1, 0.9), strict=True)]),
            BOTH,
            CONTEXT,
            grey,
        )
    )
    assert {str(one.dataset.PatientName) for one in made} == {"Spelt^1"}
    assert made[0].dataset.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.2"


def test_a_source_full_of_odd_values_still_gets_its_results(tmp_path: Path) -> None:
    source = ct_slice(PatientOrientation="X")
    odd = {
        "PatientAge": ("AS", "old"),
        "PatientWeight": ("DS", "much"),
        "StudyDate": ("DA", "yesterday"),
        "AccessionNumber": ("SH", "A" * 40),
        "PixelSpacing": ("DS", "0.5"),
        "ImagePositionPatient": ("DS", "a\\b\\c"),
        "TimezoneOffsetFromUTC": ("SH", "CET"),
        "SliceThickness": ("DS", "thin"),
    }
    for keyword, (vr, value) in odd.items():
        source[keyword] = DataElement(keyword, vr, value, already_converted=True)
    with quiet():
        path = save(source, tmp_path / "1.dcm")
    for one in build_results(study([image(path, (0.1, 0.9))]), ALL_OBJECTS, CONTEXT, grey):
        with quiet():
            read = pydicom.dcmread(BytesIO(one.encode()))
            assert check_dataset(read) == []
            assert not read.AccessionNumber
            assert not odd.keys() & {element.keyword for element in read if element.value}
            # a map has a space of its own (ADR 0011)
            assert one.kind is ResultKind.MAP or "FrameOfReferenceUID" not in read


def test_a_source_that_is_gone_is_named_as_the_reason(images: Images) -> None:
    prediction = study(images([0.9]))
    prediction.images[0].header.path.unlink()
    with pytest.raises(StorageError):
        list(build_results(prediction, BOTH, CONTEXT, grey))


def test_a_prediction_that_cannot_be_encoded_is_an_invalid_result(images: Images) -> None:
    [found] = images([0.9])
    broken = replace(found, probabilities=(float("nan"), float("nan")))
    with pytest.raises(InvalidResult):
        list(build_results(study([broken]), BOTH, CONTEXT, grey))
