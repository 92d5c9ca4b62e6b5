"""Image library of a report: every analysed image, in groups of like images.

TID 1600 and 1602 (PS3.16). highdicom's own library insists on attributes that enhanced multi-frame
images, and many radiographs, do not have, and repeats with every image what all have in common.
"""

from collections.abc import Sequence

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    NumContentItem,
    RelationshipTypeValues,
)

from pacs_ai.domain import InstanceHeader
from pacs_ai.results.codes import (
    IMAGE_LIBRARY,
    IMAGE_LIBRARY_GROUP,
    PIXELS,
    SOURCE,
    modality_code,
)

_CONTEXT = RelationshipTypeValues.HAS_ACQ_CONTEXT
_CONTAINS = RelationshipTypeValues.CONTAINS
_MODALITY = CodedConcept("121139", "DCM", "Modality")
_ROWS = CodedConcept("110910", "DCM", "Pixel Data Rows")
_COLUMNS = CodedConcept("110911", "DCM", "Pixel Data Columns")


def image_library(headers: Sequence[InstanceHeader]) -> ContainerContentItem:
    """Make the library container, one entry an instance."""
    library = ContainerContentItem(IMAGE_LIBRARY, relationship_type=_CONTAINS)
    alike: dict[tuple[str, int, int], list[InstanceHeader]] = {}
    for header in headers:
        alike.setdefault((header.modality, header.rows, header.columns), []).append(header)
    library.ContentSequence = ContentSequence([_group(*key) for key in alike.items()])
    return library


def _group(common: tuple[str, int, int], headers: Sequence[InstanceHeader]) -> ContainerContentItem:
    modality, rows, columns = common
    content: list[ContentItem] = [
        CodeContentItem(_MODALITY, modality_code(modality), _CONTEXT),
        NumContentItem(_ROWS, rows, PIXELS, relationship_type=_CONTEXT),
        NumContentItem(_COLUMNS, columns, PIXELS, relationship_type=_CONTEXT),
    ]
    content += [
        ImageContentItem(
            SOURCE,
            header.sop_class_uid,
            header.sop_instance_uid,
            relationship_type=_CONTAINS,
        )
        for header in headers
    ]
    group = ContainerContentItem(IMAGE_LIBRARY_GROUP, relationship_type=_CONTAINS)
    group.ContentSequence = ContentSequence(content)
    return group
