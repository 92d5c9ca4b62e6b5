"""The rows of the kinds agree with the names and with the objects that are made."""

import pytest

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import DOCUMENTS, REFUSALS, ResultKind
from pacs_ai.results.build import Built, BuiltResult, build_refusals, build_results
from pacs_ai.results.kinds import KINDS, Document, Objects
from tests.unit.results.conftest import Images
from tests.unit.results.samples import CONTEXT, grey, refusal, study

_REFERENCED = "ReferencedSOPClassUID"


def test_every_name_has_a_row_in_the_same_order() -> None:
    assert list(KINDS) == list(ResultKind)


def test_documents_and_refusals_are_named_in_the_vocabulary() -> None:
    documents = {kind for kind, maker in KINDS.items() if isinstance(maker, Document)}
    refusing = {
        kind for kind, maker in KINDS.items() if isinstance(maker, Objects) and maker.refuse
    }
    assert documents == DOCUMENTS
    assert refusing | documents == REFUSALS


@pytest.mark.parametrize("kind", ResultKind)
def test_a_kind_makes_objects_of_its_class(kind: ResultKind, images: Images) -> None:
    analysed = study(images([0.9, 0.2]))
    made: list[Built] = list(build_results(analysed, [kind], CONTEXT, grey))
    assert made
    refused = list(build_refusals(refusal(analysed.images), [kind], CONTEXT))
    assert bool(refused) == (kind in REFUSALS)
    maker = KINDS[kind]
    expected = "" if isinstance(maker, Document) else maker.sop_class_uid
    assert {one.sop_class_uid for one in [*made, *refused]} == {expected}
    if isinstance(maker, Document):
        assert {one.suffix for one in [*made, *refused]} == {maker.suffix}


@pytest.mark.parametrize(
    "sop_class",
    ["1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.5", "1.3.12.2.1107.5.9.1"],
    ids=["US, retired", "NM, retired", "private"],
)
@pytest.mark.parametrize("kind", ResultKind)
def test_images_of_retired_and_private_classes_have_every_kind(
    sop_class: str, kind: ResultKind, images: Images
) -> None:
    [made, *_] = build_results(study(images([0.9], SOPClassUID=sop_class)), [kind], CONTEXT, grey)
    if isinstance(made, BuiltResult):
        assert check_dataset(made.dataset) == []
        classes = {str(e.value) for e in made.dataset.iterall() if e.keyword == _REFERENCED}
        assert classes == {sop_class}
