"""One report ties the results of a study together, and each result names its model (ADR 0038)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sr._cid_dict import cid_concepts

from pacs_ai.analysis.make import make_results
from pacs_ai.domain import DOCUMENTS, ModelIdentity, ResultKind, StudyPrediction
from pacs_ai.results import build
from pacs_ai.results.build import Built, BuiltResult, build_refusals, build_results
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.equipment import device_uid
from pacs_ai.results.kinds import Objects
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    CONTEXT,
    FOURTEEN_CLASSES,
    LESION,
    blob,
    grey,
    image,
    model,
    radiograph,
    refusal,
    save,
    study,
)
from tests.unit.results.sr.report_content import concept, walk

OBJECTS = tuple(kind for kind in ResultKind if kind not in DOCUMENTS)
PICTURES = (
    *(ResultKind.CAPTURE, ResultKind.STACK, ResultKind.SIDE_BY_SIDE, ResultKind.CONTACT_SHEET),
    *(ResultKind.MAP, ResultKind.SEG, ResultKind.LABEL_MAP),
)
DOCUMENT_OBJECTS = (ResultKind.REGION, ResultKind.KEY_OBJECT, ResultKind.PDF)


def made_of(
    prediction: StudyPrediction,
    kinds: Sequence[ResultKind] = OBJECTS,
    context: ResultContext = CONTEXT,
) -> list[BuiltResult]:
    made = list(build_results(prediction, kinds, context, grey))
    return [one for one in made if isinstance(one, BuiltResult)]


def of_kind(made: Sequence[BuiltResult], kind: ResultKind) -> list[Dataset]:
    return [one.dataset for one in made if one.kind is kind]


def root_of(made: Sequence[BuiltResult]) -> Dataset:
    [root] = of_kind(made, ResultKind.REPORT)
    return root


def listed(document: Dataset) -> Iterator[str]:
    for item in document.CurrentRequestedProcedureEvidenceSequence:
        for series in item.ReferencedSeriesSequence:
            yield from (one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence)


def contained(root: Dataset) -> list[Dataset]:
    return [
        item
        for container in root.ContentSequence
        if concept(container) == "RELATED"
        for item in container.ContentSequence
    ]


def named(item: Dataset) -> str:
    return str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


@pytest.mark.parametrize("lesion", [[0.9], [0.1], [0.2, 0.9, 0.8, 0.1]])
def test_the_report_refers_to_all_that_was_made_and_to_nothing_else(
    images: Images, lesion: list[float]
) -> None:
    seen = images(lesion)
    made = made_of(study(seen))
    root = root_of(made)
    others = {one.sop_instance_uid for one in made} - {root.SOPInstanceUID}
    sources = {one.header.sop_instance_uid for one in seen}
    assert set(listed(root)) == others | sources
    assert len(root.CurrentRequestedProcedureEvidenceSequence) == 1, "one item a study"
    by_kind = {kind: {str(one.SOPInstanceUID) for one in of_kind(made, kind)} for kind in OBJECTS}
    stack = by_kind.pop(ResultKind.STACK)
    by_kind.pop(ResultKind.REPORT)
    referred = {named(item) for item in contained(root)}
    assert referred - stack == set().union(*by_kind.values())
    assert len(referred & stack) == 1, "the first picture of a series stands for it"


def test_every_result_leads_to_the_report(images: Images) -> None:
    made = made_of(study(images([0.2, 0.9])))
    root = root_of(made)
    assert {one.kind for one in made} == set(OBJECTS)
    for kind in PICTURES:
        for picture in of_kind(made, kind):
            [series] = picture.RelatedSeriesSequence
            assert series.SeriesInstanceUID == root.SeriesInstanceUID
            assert series.StudyInstanceUID == root.StudyInstanceUID
    for kind in (ResultKind.REGION, ResultKind.PDF):
        [document] = of_kind(made, kind)
        [reference] = document.ReferencedInstanceSequence
        assert reference.ReferencedSOPInstanceUID == root.SOPInstanceUID
        assert reference.ReferencedSOPClassUID == root.SOPClassUID
        purposes = reference.get("PurposeOfReferenceCodeSequence", [])
        assert [one.CodeValue for one in purposes] == ["126000"] * (kind is ResultKind.REGION)
    [keys] = of_kind(made, ResultKind.KEY_OBJECT)
    [composite] = [item for item in walk(keys) if item.ValueType == "COMPOSITE"]
    assert named(composite) == root.SOPInstanceUID
    assert root.SOPInstanceUID in set(listed(keys))


def test_what_shows_the_report_to_people_is_named_as_that(images: Images) -> None:
    """One of them: dciodvfy takes more items for an error."""
    made = made_of(study(images([0.9, 0.8])))
    assert len(of_kind(made, ResultKind.CAPTURE)) > 1
    [shown] = root_of(made).ReferencedInstanceSequence
    assert shown.PurposeOfReferenceCodeSequence[0].CodeValue == "121333"
    assert shown.ReferencedSOPInstanceUID == of_kind(made, ResultKind.CAPTURE)[0].SOPInstanceUID


@pytest.mark.parametrize(("lesion", "level"), [([0.9], "image 1"), ([0.2, 0.9], "study")])
def test_segment_and_map_are_joined_to_their_finding(
    images: Images, lesion: list[float], level: str
) -> None:
    made = made_of(study(images(lesion)))
    findings = {
        (str(group["112039"].TextValue), str(group["112040"].UID))
        for group in groups(root_of(made))
    }
    [finding] = {one for one in findings if one[0] == f"Lesion / {level}"}
    [segmentation] = of_kind(made, ResultKind.SEG)
    [segment] = segmentation.SegmentSequence
    [heat_map] = of_kind(made, ResultKind.MAP)
    [labels] = of_kind(made, ResultKind.LABEL_MAP)
    assert [one.get("TrackingUID") for one in labels.SegmentSequence] == [finding[1], None]
    assert (segment.TrackingID, segment.TrackingUID) == finding
    assert (heat_map.TrackingID, heat_map.TrackingUID) == finding
    told = {
        named(item): item.ContentSequence[0].TextValue
        for item in contained(root_of(made))
        if "ContentSequence" in item
    }
    shown = (segmentation, heat_map, labels)
    assert told == {str(one.SOPInstanceUID): finding[0] for one in shown}


def test_a_series_of_maps_has_one_frame_of_reference(tmp_path: Path) -> None:
    """Each radiograph has its own; all classes of one are in one series."""
    specs = (LESION, FOURTEEN_CLASSES[0])
    seen = [image(save(radiograph(n), tmp_path / f"{n}.dcm"), (0.9, 0.8), blob()) for n in (1, 2)]
    maps = of_kind(made_of(study(seen, model(specs, "sigmoid"))), ResultKind.MAP)
    assert len(maps) == 4
    pairs = {(one.SeriesInstanceUID, one.FrameOfReferenceUID) for one in maps}
    assert len(pairs) == len({one.SeriesInstanceUID for one in maps}) == 2


def test_the_region_of_a_finding_is_joined_to_it(images: Images) -> None:
    made = made_of(study(images([0.9])))
    [region] = of_kind(made, ResultKind.REGION)
    [place] = groups(region)
    found = {str(group["112040"].UID) for group in groups(root_of(made))}
    assert str(place["112040"].UID) in found


def groups(report: Dataset) -> list[dict[str, Dataset]]:
    return [
        {concept(child): child for child in group.ContentSequence}
        for group in walk(report)
        if concept(group) == "125007"
    ]


def by_uid(made: Sequence[BuiltResult]) -> dict[str, bytes]:
    return {one.sop_instance_uid: one.encode() for one in made}


def test_one_uid_stands_for_the_same_bytes_whatever_else_is_asked_for(images: Images) -> None:
    """Other kinds, a report or none, more images: the bytes of a known UID never differ."""
    first, second = images([0.9, 0.8])
    asked = [
        OBJECTS,
        OBJECTS[:3],
        (ResultKind.REPORT,),
        (ResultKind.CAPTURE, ResultKind.MAP),
        DOCUMENT_OBJECTS,
    ]
    sets = [
        by_uid(made_of(study(seen), kinds))
        for seen in ([first], [first, second])
        for kinds in asked
    ]
    for one in sets:
        for other in sets:
            assert all(one[uid] == other[uid] for uid in one.keys() & other.keys())


def test_a_study_that_grows_keeps_its_pictures_and_gets_another_report(images: Images) -> None:
    first, second = images([0.9, 0.8])
    before, after = made_of(study([first])), made_of(study([first, second]))
    kept = {one.sop_instance_uid for one in before} & {one.sop_instance_uid for one in after}
    assert kept
    assert {one.kind for one in before if one.sop_instance_uid in kept} <= set(PICTURES)
    assert root_of(before).SeriesInstanceUID == root_of(after).SeriesInstanceUID


def test_where_no_report_is_asked_for_nothing_refers_to_one(images: Images) -> None:
    kinds = tuple(kind for kind in OBJECTS if kind is not ResultKind.REPORT)
    with_report, without = made_of(study(images([0.9]))), made_of(study(images([0.9])), kinds)
    assert not by_uid(with_report).keys() & by_uid(without).keys()
    for one in without:
        assert "RelatedSeriesSequence" not in one.dataset
        assert "ReferencedInstanceSequence" not in one.dataset
        assert "COMPOSITE" not in {item.ValueType for item in walk(one.dataset)}


class Kept:
    """Keeps what is written."""

    def write(self, result: Built) -> Built:
        return result

    def remove(self, written: Built) -> None:
        """Nothing to delete."""


def test_what_failed_is_not_referred_to(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    prediction = study(images([0.9]))
    whole = make_results(prediction, OBJECTS, lambda _: CONTEXT, Kept())
    broken = {**build.KINDS, ResultKind.SEG: Objects("1.2.3", lambda _: iter([_fail()]))}
    monkeypatch.setattr(build, "KINDS", broken)
    partial = make_results(prediction, OBJECTS, lambda _: CONTEXT, Kept())
    assert set(partial.failed) == {ResultKind.SEG}
    assert partial.made[0].kind is ResultKind.REPORT
    first, second = (outcome.made[0] for outcome in (whole, partial))
    assert isinstance(first, BuiltResult)
    assert isinstance(second, BuiltResult)
    assert first.sop_instance_uid != second.sop_instance_uid
    written = {one.sop_instance_uid for one in partial.made}
    assert {named(item) for item in contained(second.dataset)} <= written


def _fail() -> Dataset:
    raise ValueError("broken")


def test_a_page_of_a_study_that_was_not_analysable_leads_to_its_report(images: Images) -> None:
    kinds = (ResultKind.REPORT, ResultKind.PDF)
    page, report = build_refusals(refusal(images([0.9])), kinds, CONTEXT)
    assert isinstance(page, BuiltResult)
    assert isinstance(report, BuiltResult)
    [reference] = page.dataset.ReferencedInstanceSequence
    assert reference.ReferencedSOPInstanceUID == report.sop_instance_uid
    assert page.sop_instance_uid in set(listed(report.dataset))


def test_every_object_names_its_model_and_the_node_as_its_sender(images: Images) -> None:
    for one in made_of(study(images([0.2, 0.9]))):
        [algorithm] = one.dataset.ContributingEquipmentSequence
        assert algorithm.Manufacturer == "somebody"
        assert algorithm.ManufacturerModelName == "demo"
        assert algorithm.SoftwareVersions == "1.2.3"
        assert algorithm.DeviceUID == device_uid(model())
        assert algorithm.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
        assert one.dataset.Manufacturer == "pacs-ai"


def test_the_standard_has_no_purpose_of_its_own_for_an_algorithm() -> None:
    """Tells when an edition of PS3.16 has one in CID 7005: then results should state it."""
    purposes = cid_concepts[7005]["DCM"]
    assert "ProcessingEquipment" in purposes
    assert not [one for one in purposes if "Algorithm" in one or "Intelligence" in one]


@pytest.mark.parametrize("changed", ["sha256", "manifest_sha256", "version"])
def test_the_device_changes_with_each_training(changed: str) -> None:
    trained: ModelIdentity = replace(model(), **{changed: "cd" * 32})
    assert device_uid(trained) != device_uid(model())
    assert device_uid(replace(model(), runtime="another")) == device_uid(model())


def test_who_observed_is_the_model(images: Images) -> None:
    made = made_of(study(images([0.9])))
    for kind in (ResultKind.REPORT, ResultKind.REGION, ResultKind.KEY_OBJECT):
        [document] = of_kind(made, kind)
        observer = {concept(item): item for item in document.ContentSequence}
        assert device_uid(model()) == observer["121012"].UID
        assert observer["121013"].TextValue == "demo"
