"""What a report says of the other results of its study: it is their root (IHE AI Results).

Three places, for three kinds of readers. The evidence lists every object by series (PS3.3 Section
C.17.2.3). Referenced Instance Sequence names what shows the content of the report to people. The
content tree has a container with a reference to each object; TID 1500 can be extended.
"""

import functools
from collections.abc import Iterator

from highdicom.sr import (
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
    RELATED_RESULTS,
    RENDERING,
    REPORT_TITLE,
    RESULT_NAMES,
    TRACKING_IDENTIFIER,
)
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.common.object_header import references
from pacs_ai.results.common.prebuilt import changed, shared
from pacs_ai.results.common.result_set import MadeObject, ResultSet
from pacs_ai.results.sr.references import evidence_items

_CONTAINS = RelationshipTypeValues.CONTAINS
_NOWHERE = "1.2.840.10008.5.1.4.1.1.7"  # any UID: the pattern's reference is replaced

_COMPOSITES = frozenset(
    {ResultKind.REGION, ResultKind.KEY_OBJECT, ResultKind.PDF, ResultKind.LABEL_MAP}
)
"""Kinds that a COMPOSITE refers to: no images, and what readers do not know as an image.

DCMTK 3.6 reads no report with an IMAGE of the class Label Map Segmentation, which is newer.
"""

_RENDERINGS = (
    ResultKind.CAPTURE,
    ResultKind.PDF,
    ResultKind.SIDE_BY_SIDE,
    ResultKind.CONTACT_SHEET,
)
"""What shows the content of a report to people: the first of these that was made is named."""


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
    if shown := [one for kind in _RENDERINGS for one in results.made if one.kind is kind]:
        first = shown[0]  # dciodvfy takes one item for all that the module allows
        [item] = references([(first.sop_class_uid, first.sop_instance_uid)])
        item.PurposeOfReferenceCodeSequence = [RENDERING]
        report.ReferencedInstanceSequence = [item]


def related_results(results: ResultSet) -> Iterator[Dataset]:
    """Make the container with references to the other results; none if there are none."""
    items = [_item(one) for one in results.named]
    if items:
        yield changed(_container(), ContentSequence=items)


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
    image = kind in RESULT_NAMES and kind not in _COMPOSITES
    make = ImageContentItem if image else CompositeContentItem
    name = RESULT_NAMES.get(kind, REPORT_TITLE)
    item: ContentItem = make(name, _NOWHERE, _NOWHERE, relationship_type=_CONTAINS)
    finding = TextContentItem(
        TRACKING_IDENTIFIER, "pattern", RelationshipTypeValues.HAS_CONCEPT_MOD
    )
    item.ContentSequence = ContentSequence([finding])
    return shared(item)
