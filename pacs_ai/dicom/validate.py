"""The last check of a result before it is stored: what an archive or a viewer would refuse."""

from collections.abc import Iterator, Sized
from dataclasses import dataclass

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from pacs_ai.dicom.constant_dataset import Constant
from pacs_ai.dicom.modules import COMMON, CONTENT_VALUES, REQUIREMENTS, SECONDARY_CAPTURE
from pacs_ai.dicom.quiet_libraries import quiet
from pacs_ai.dicom.values import broken_rule, keyword_of
from pacs_ai.dicom.writing import CHARACTER_SET
from pacs_ai.uids import valid_uid

_CODE_VALUES = ("CodeValue", "LongCodeValue", "URNCodeValue")
_OWN_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")
_META_UIDS = {
    "MediaStorageSOPClassUID": "SOPClassUID",
    "MediaStorageSOPInstanceUID": "SOPInstanceUID",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that a data set breaks: the path of the attribute and the rule, never a value."""

    attribute: str
    rule: str

    def __str__(self) -> str:
        return f"{self.attribute} {self.rule}"


def check_dataset(dataset: Dataset) -> list[Problem]:
    """Hold an object this node made against the standard.

    Checked are the mandatory attributes of its modules, the values of all elements at every
    depth against their VR, UIDs, codes, content items, the character set, and the agreement of
    pixel data and file meta information with the rest.

    Parameters
    ----------
    dataset
        The whole object, with ``file_meta`` if it has one.

    Returns
    -------
    list of Problem
        Empty if nothing is wrong.

    Notes
    -----
    PS3.3 Sections A.8.1, A.35, C.7, C.12.1, C.17; PS3.5 Section 6.2, 9.1.
    """
    with quiet():
        return [
            *_modules(dataset),
            *_identity(dataset),
            *_elements(dataset, "", dataset),
            *_content(dataset, ""),
            *_pixels(dataset),
        ]


def check_content(item: Dataset) -> list[Problem]:
    """Hold content that reports will share against the standard, before it is made constant.

    Parameters
    ----------
    item
        A content item, to stand in a report whose character set is UTF-8. What is below it is
        checked here, once; `check_dataset` passes constant items over.
    """
    top = Dataset()
    top.SpecificCharacterSet = CHARACTER_SET
    with quiet():
        return [*_elements(item, "", top), *_content(item, "")]


def _modules(dataset: Dataset) -> Iterator[Problem]:
    sop_class = str(dataset.get("SOPClassUID", ""))
    requirements = REQUIREMENTS.get(sop_class, COMMON)
    for keyword in sorted(requirements.filled):
        if _is_empty(dataset, keyword):
            yield Problem(keyword, "must have a value (type 1)")
    for keyword in sorted(requirements.present - requirements.filled):
        if keyword not in dataset:
            yield Problem(keyword, "must be present (type 2)")
    paired = "BodyPartExamined" in dataset or "Laterality" in dataset
    if sop_class == SECONDARY_CAPTURE and not paired:
        yield Problem("Laterality", "must be present where no body part is named (type 2C)")


def _identity(dataset: Dataset) -> Iterator[Problem]:
    for keyword in _OWN_UIDS:
        if keyword in dataset and not valid_uid(str(dataset.get(keyword))):
            yield Problem(keyword, "is not a UID (PS3.5 Section 9.1)")
    meta = getattr(dataset, "file_meta", None)
    if meta is None:
        return
    if _is_empty(meta, "TransferSyntaxUID"):
        yield Problem("TransferSyntaxUID", "must have a value (type 1)")
    for keyword, other in _META_UIDS.items():
        if str(meta.get(keyword, "")) != str(dataset.get(other, "")):
            yield Problem(keyword, f"differs from {other}")


def _elements(dataset: Dataset, path: str, top: Dataset) -> Iterator[Problem]:
    for element in dataset:
        keyword = keyword_of(element) or str(element.tag)
        if element.VR == "SQ":
            for number, item in enumerate(element.value, start=1):
                if isinstance(item, Constant):
                    continue
                inner = f"{path}{keyword}[{number}]."
                if keyword.endswith("CodeSequence"):
                    yield from _code(item, inner)
                yield from _elements(item, inner, top)
        else:
            rule = broken_rule(element) or _unspoken(element, top)
            if rule:
                yield Problem(path + keyword, rule)


def _unspoken(element: DataElement, top: Dataset) -> str:
    """Look for text that only a character set gives a meaning."""
    several = isinstance(element.value, MultiValue | list | tuple)
    for part in element.value if several else (element.value,):
        if isinstance(part, str) and not part.isascii() and "SpecificCharacterSet" not in top:
            return "needs a SpecificCharacterSet"
    return ""


def _code(item: Dataset, path: str) -> Iterator[Problem]:
    """Check a coded entry (PS3.3 Section 8.8)."""
    if all(_is_empty(item, keyword) for keyword in _CODE_VALUES):
        yield Problem(path + "CodeValue", "must have a value (type 1C)")
    needed = ["CodeMeaning"]
    if _is_empty(item, "URNCodeValue"):
        needed.insert(0, "CodingSchemeDesignator")
    for keyword in needed:
        if _is_empty(item, keyword):
            yield Problem(path + keyword, "must have a value (type 1)")


def _content(node: Dataset, path: str) -> Iterator[Problem]:
    """Check the content items of a report (PS3.3 Section C.17.3)."""
    for number, item in enumerate(node.get("ContentSequence") or [], start=1):
        if isinstance(item, Constant):
            continue
        inner = f"{path}ContentSequence[{number}]."
        if _is_empty(item, "RelationshipType"):
            yield Problem(inner + "RelationshipType", "must have a value (type 1)")
        if "ReferencedContentItemIdentifier" in item:
            continue
        wanted = CONTENT_VALUES.get(str(item.get("ValueType", "")))
        if wanted is None:
            yield Problem(inner + "ValueType", "is not a known value type")
            continue
        for keyword in wanted:
            if _is_empty(item, keyword):
                yield Problem(inner + keyword, "must have a value (type 1)")
        yield from _content(item, inner)


def _pixels(dataset: Dataset) -> Iterator[Problem]:
    """Compare uncompressed pixel data with the shape that describes them."""
    meta = getattr(dataset, "file_meta", None)
    syntax = meta.get("TransferSyntaxUID") if meta is not None else None
    data = dataset.get("PixelData")
    if not isinstance(data, bytes) or (syntax is not None and syntax.is_compressed):
        return
    if int(dataset.get("SamplesPerPixel") or 1) > 1 and "PlanarConfiguration" not in dataset:
        yield Problem("PlanarConfiguration", "must have a value (type 1C)")
    shape = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "NumberOfFrames")
    bits = 1
    for keyword in shape:
        bits *= int(dataset.get(keyword) or 1)
    expected = -(-bits // 8)
    if len(data) != expected + expected % 2:
        yield Problem("PixelData", "has a length that contradicts the shape")


def _is_empty(dataset: Dataset, keyword: str) -> bool:
    value = dataset.get(keyword)
    if value is None or isinstance(value, str):
        return not value
    return isinstance(value, Sized) and len(value) == 0
