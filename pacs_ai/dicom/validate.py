"""The last look at a result before it is stored: what an archive or a viewer would object to."""

import functools
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from typing import Any

from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import validate_value

from pacs_ai.dicom.constant import Constant
from pacs_ai.dicom.foreign import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.modules import COMMON, CONTENT_VALUES, COPIED, REQUIREMENTS, SECONDARY_CAPTURE
from pacs_ai.dicom.writing import CHARACTER_SET
from pacs_ai.uids import storable_uid, valid_uid

_CODE_VALUES = ("CodeValue", "LongCodeValue", "URNCodeValue")
_OWN_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")
_META_UIDS = {
    "MediaStorageSOPClassUID": "SOPClassUID",
    "MediaStorageSOPInstanceUID": "SOPInstanceUID",
}
_BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


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
    pixel data and file meta information with the rest. What a result takes over from its source
    (`COPIED`) is not judged but for being there.

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
        keyword = element.keyword or str(element.tag)
        if dataset is top and keyword in COPIED:
            continue
        if element.VR == "SQ":
            for number, item in enumerate(element.value, start=1):
                if isinstance(item, Constant):
                    continue
                inner = f"{path}{keyword}[{number}]."
                if keyword.endswith("CodeSequence"):
                    yield from _code(item, inner)
                yield from _elements(item, inner, top)
        else:
            rule = _broken_rule(element, top)
            if rule:
                yield Problem(path + keyword, rule)


def _broken_rule(element: DataElement, top: Dataset) -> str:
    value = element.value
    values = list(value) if isinstance(value, MultiValue | list | tuple) else [value]
    for part in values:
        if part is None or (isinstance(part, str | bytes) and not part):
            continue
        if element.VR == "UI":
            # Those of the source may have leading zeros: they are referred to as they are.
            if not storable_uid(str(part)):
                return "is not a UID (PS3.5 Section 9.1)"
        elif not _legal(element.VR, part):
            return f"is no legal value of VR {element.VR} (PS3.5 Section 6.2)"
        if isinstance(part, str) and not part.isascii() and "SpecificCharacterSet" not in top:
            return "needs a SpecificCharacterSet"
    return ""


def _legal(vr: str, value: Any) -> bool:  # noqa: ANN401  (the value of an element)
    checked = value if vr in _BINARY_VRS or isinstance(value, bytes) else _as_written(vr, value)
    return _legal_text(vr, checked) if type(checked) is str else _legal_value(vr, checked)


@functools.lru_cache(maxsize=4096)
def _legal_text(vr: str, text: str) -> bool:
    """Judge a text once: a report says the same few things over and over."""
    return _legal_value(vr, text)


def _legal_value(vr: str, checked: Any) -> bool:  # noqa: ANN401  (the value of an element)
    try:
        validate_value(vr, checked, config.RAISE)
    except FOREIGN_ERRORS:
        return False
    return True


def _as_written(vr: str, value: Any) -> Any:  # noqa: ANN401  (the value of an element)
    """Numbers that are written as text are checked as that text."""
    return str(value) if vr in ("DS", "IS", "PN", "DA", "TM", "DT") else value


def _code(item: Dataset, path: str) -> Iterator[Problem]:
    """Check a coded entry (PS3.3 Section 8.8)."""
    if all(_is_empty(item, keyword) for keyword in _CODE_VALUES):
        yield Problem(path + "CodeValue", "must have a value (type 1C)")
    for keyword in ("CodingSchemeDesignator", "CodeMeaning"):
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
    if value is None:
        return True
    return isinstance(value, Sized) and len(value) == 0
