"""Image library of a report: every analysed image with what the index knows of it.

TID 1600, 1602, 1604 (PS3.16). highdicom's own library insists on attributes that enhanced
multi-frame images, and many radiographs, do not have.
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
    DIRECTION_COSINE,
    IMAGE_LIBRARY,
    IMAGE_LIBRARY_GROUP,
    MILLIMETRE,
    PIXELS,
    modality_code,
)

_CONTEXT = RelationshipTypeValues.HAS_ACQ_CONTEXT
_CONTAINS = RelationshipTypeValues.CONTAINS
_MODALITY = CodedConcept("121139", "DCM", "Modality")
_SOURCE = CodedConcept("260753009", "SCT", "Source")
_ROWS = CodedConcept("110910", "DCM", "Pixel Data Rows")
_COLUMNS = CodedConcept("110911", "DCM", "Pixel Data Columns")
_POSITION = tuple(
    CodedConcept(value, "DCM", f"Image Position (Patient) {axis}")
    for value, axis in (("110901", "X"), ("110902", "Y"), ("110903", "Z"))
)
_ORIENTATION = tuple(
    CodedConcept(f"11090{4 + index}", "DCM", f"Image Orientation (Patient) {direction} {axis}")
    for index, (direction, axis) in enumerate(
        (direction, axis) for direction in ("Row", "Column") for axis in "XYZ"
    )
)


def image_library(headers: Sequence[InstanceHeader]) -> ContainerContentItem:
    """Make the library container, one entry an instance."""
    group = ContainerContentItem(IMAGE_LIBRARY_GROUP, relationship_type=_CONTAINS)
    group.ContentSequence = ContentSequence([_entry(header) for header in headers])
    library = ContainerContentItem(IMAGE_LIBRARY, relationship_type=_CONTAINS)
    library.ContentSequence = ContentSequence([group])
    return library


def _entry(header: InstanceHeader) -> ImageContentItem:
    entry = ImageContentItem(
        _SOURCE,
        header.sop_class_uid,
        header.sop_instance_uid,
        relationship_type=_CONTAINS,
    )
    described: list[ContentItem] = [
        CodeContentItem(_MODALITY, modality_code(header.modality), _CONTEXT),
        _number(_ROWS, header.rows, PIXELS),
        _number(_COLUMNS, header.columns, PIXELS),
    ]
    if header.position_mm and header.orientation:
        described += [
            _number(name, value, MILLIMETRE)
            for name, value in zip(_POSITION, header.position_mm, strict=True)
        ]
        described += [
            _number(name, value, DIRECTION_COSINE)
            for name, value in zip(_ORIENTATION, header.orientation, strict=True)
        ]
    entry.ContentSequence = ContentSequence(described)
    return entry


def _number(name: CodedConcept, value: float, unit: CodedConcept) -> NumContentItem:
    return NumContentItem(name, value, unit, relationship_type=_CONTEXT)
