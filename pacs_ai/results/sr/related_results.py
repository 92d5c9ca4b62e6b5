"""What a report says of the other results of its study: it is their root (IHE AI Results).

Three places, for three kinds of readers. The evidence lists every object by series (PS3.3 Section
C.17.2.3). Referenced Instance Sequence names what shows the content of the report to people. The
content tree has a container with a reference to each object; TID 1500 can be extended.
"""

import functools
from collections.abc import Iterator, Mapping

from highdicom.sr import (
    CodedConcept,
    CompositeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.dataset import Dataset

from pacs_ai.domain import ResultKind
from pacs_ai.results.common.codes import (
    BEST_ILLUSTRATION,
    CLASS_ACTIVATION,
    OF_INTEREST,
    RELATED_RESULTS,
    RENDERING,
    REPORT_TITLE,
    SEGMENTATION_RESULT,
    TITLE,
    TRACKING_IDENTIFIER,
)
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.common.object_header import references
from pacs_ai.results.common.prebuilt import changed, shared
from pacs_ai.results.common.result_set import MadeObject, ResultSet
from pacs_ai.results.sr.references import evidence_items

_CONTAINS = RelationshipTypeValues.CONTAINS
_NOWHERE = "1.2.840.10008.5.1.4.1.1.7"  # any UID: the pattern's reference is replaced

_NAMES: Mapping[ResultKind, CodedConcept] = {
    ResultKind.CAPTURE: BEST_ILLUSTRATION,
    ResultKind.SIDE_BY_SIDE: BEST_ILLUSTRATION,
    ResultKind.STACK: BEST_ILLUSTRATION,
    ResultKind.MAP: CLASS_ACTIVATION,
    ResultKind.SEG: SEGMENTATION_RESULT,
    ResultKind.REGION: TITLE,
    ResultKind.KEY_OBJECT: OF_INTEREST,
    ResultKind.PDF: REPORT_TITLE,
}
"""What the content tree calls a result; a kind that is not here is another document."""

_NO_IMAGES = frozenset({ResultKind.REGION, ResultKind.KEY_OBJECT, ResultKind.PDF})
_RENDERINGS = frozenset({ResultKind.CAPTURE, ResultKind.SIDE_BY_SIDE, ResultKind.PDF})
_SERIES = frozenset({ResultKind.STACK})  # a picture of each image: the evidence lists them all


def refer_to_results(report: Dataset, evidence: Evidence, results: ResultSet) -> None:
    """State in the header of a report which other results belong to it.

    Parameters
    ----------
    report
        The root; changed in place.
    evidence
        Headers of the images that it is about.
    results
        The results of the study.
    """
    if not results.made:
        return
    listed = evidence_items([*evidence.headers, *results.made])
    report.CurrentRequestedProcedureEvidenceSequence = listed
    if shown := [one for one in results.made if one.kind in _RENDERINGS]:
        first = shown[0]  # dciodvfy takes one item for all that the module allows
        [item] = references([(first.sop_class_uid, first.sop_instance_uid)])
        item.PurposeOfReferenceCodeSequence = [RENDERING]
        report.ReferencedInstanceSequence = [item]


def related_results(results: ResultSet) -> Iterator[Dataset]:
    """Make the container with references to the other results; none if there are none."""
    items = list(_items(results))
    if items:
        yield changed(_container(), ContentSequence=items)


def _items(results: ResultSet) -> Iterator[Dataset]:
    series = set()
    for one in results.made:
        if one.kind in _SERIES and one.kind in series:
            continue
        series.add(one.kind)
        yield _item(one)


def _item(one: MadeObject) -> Dataset:
    pattern = _pattern(one.kind)
    [reference] = references([(one.sop_class_uid, one.sop_instance_uid)])
    finding = [changed(pattern.ContentSequence[0], TextValue=one.tracking)] if one.tracking else []
    made = changed(pattern, ReferencedSOPSequence=[reference], ContentSequence=finding)
    if not finding:
        del made.ContentSequence
    return made


@functools.cache
def _container() -> Dataset:
    return shared(ContainerContentItem(RELATED_RESULTS, relationship_type=_CONTAINS))


@functools.cache
def _pattern(kind: ResultKind) -> Dataset:
    """Let highdicom make and check a reference, with the finding that the object shows."""
    image = kind in _NAMES and kind not in _NO_IMAGES
    make = ImageContentItem if image else CompositeContentItem
    name = _NAMES.get(kind, REPORT_TITLE)
    item: ContentItem = make(name, _NOWHERE, _NOWHERE, relationship_type=_CONTAINS)
    finding = TextContentItem(
        TRACKING_IDENTIFIER, "pattern", RelationshipTypeValues.HAS_CONCEPT_MOD
    )
    item.ContentSequence = ContentSequence([finding])
    return shared(item)
