"""Image library of a report: every analysed image, in groups of like images.

TID 1600 and 1602 (PS3.16). highdicom's own library insists on attributes that enhanced multi-frame
images, and many radiographs, do not have, and repeats with every image what all have in common.
"""

import functools
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
from pydicom.dataset import Dataset

from pacs_ai.domain import InstanceHeader
from pacs_ai.results.common.codes import (
    IMAGE_LIBRARY,
    IMAGE_LIBRARY_GROUP,
    PIXELS,
    SOURCE,
    modality_code,
)
from pacs_ai.results.common.object_header import references
from pacs_ai.results.common.prebuilt import changed, shared

_CONTEXT = RelationshipTypeValues.HAS_ACQ_CONTEXT
_CONTAINS = RelationshipTypeValues.CONTAINS
_NOWHERE = "1.2.840.10008.5.1.4.1.1.7"  # any UID: the pattern's reference is replaced
_MODALITY = CodedConcept("121139", "DCM", "Modality")
_ROWS = CodedConcept("110910", "DCM", "Pixel Data Rows")
_COLUMNS = CodedConcept("110911", "DCM", "Pixel Data Columns")


def image_library(headers: Sequence[InstanceHeader]) -> Dataset:
    """Make the library container, one entry an instance."""
    alike: dict[tuple[str, int, int], list[InstanceHeader]] = {}
    for header in headers:
        alike.setdefault((header.modality, header.rows, header.columns), []).append(header)
    return changed(_library(), ContentSequence=[_group(*key) for key in alike.items()])


def _group(common: tuple[str, int, int], headers: Sequence[InstanceHeader]) -> Dataset:
    pattern = _pattern(*common)
    *said, entry = pattern.ContentSequence
    instances = references([(header.sop_class_uid, header.sop_instance_uid) for header in headers])
    entries = [changed(entry, ReferencedSOPSequence=[instance]) for instance in instances]
    return changed(pattern, ContentSequence=[*said, *entries])


@functools.cache
def _library() -> Dataset:
    return shared(ContainerContentItem(IMAGE_LIBRARY, relationship_type=_CONTAINS))


@functools.lru_cache(maxsize=256)
def _pattern(modality: str, rows: int, columns: int) -> Dataset:
    """Let highdicom make and check what images of one kind have in common, and one entry.

    Notes
    -----
    TID 1602 is optional, and its first row asks for a modality of CID 29, which has none for
    captures of screens (OT). Then nothing is said of the images: it stands in their headers.
    """
    content: list[ContentItem] = []
    if (acquired := modality_code(modality)) is not None:
        content += [
            CodeContentItem(_MODALITY, acquired, _CONTEXT),
            NumContentItem(_ROWS, rows, PIXELS, relationship_type=_CONTEXT),
            NumContentItem(_COLUMNS, columns, PIXELS, relationship_type=_CONTEXT),
        ]
    content.append(ImageContentItem(SOURCE, _NOWHERE, _NOWHERE, relationship_type=_CONTAINS))
    group = ContainerContentItem(IMAGE_LIBRARY_GROUP, relationship_type=_CONTAINS)
    group.ContentSequence = ContentSequence(content)
    return shared(group)
