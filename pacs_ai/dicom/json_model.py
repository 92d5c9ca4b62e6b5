"""A data set in the DICOM JSON model (PS3.18 Annex F), without pixels and other large values."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from pacs_ai.dicom.files import open_file
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.errors import NotDicom

PIXELS = {"7FE00010": "OW", "7FE00008": "OF", "7FE00009": "OD"}
"""Pixel data, integers and floats: their tags and value representations."""

_FLOAT_BITS, _BYTE_BITS = 32, 8
"""Bits Allocated of Float Pixel Data, and the largest of pixel data that is written as bytes."""
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_LARGE = 1024
"""Values of more bytes are fetched from an address of their own."""


def json_model(path: Path, url_of: Callable[[str], str]) -> dict[str, Any]:
    """Read a file as the DICOM JSON model.

    Parameters
    ----------
    url_of
        Gives the address of a large value from its tag, eight hexadecimal digits.

    Returns
    -------
    dict
        By tag; elements that pydicom cannot express are left out.

    Raises
    ------
    NotDicom
        If the file cannot be read as DICOM.
    StorageError
        If it cannot be read at all.
    """
    try:
        with quiet(), open_file(path) as stream:
            dataset = dcmread(stream, stop_before_pixels=True)
            model = _model(dataset, url_of)
            tag, vr = _pixels(dataset)
    except FOREIGN_ERRORS as error:
        raise NotDicom(f"the file cannot be read as DICOM ({type(error).__name__})") from error
    if "Rows" in dataset:
        model[tag] = {"vr": vr, "BulkDataURI": url_of(tag)}
    return model


def large_value(path: Path, tag: str) -> bytes | None:
    """Return the bytes of an element, also one inside of a sequence; None if there is none.

    Raises
    ------
    NotDicom, StorageError
        As `json_model`.
    """
    try:
        with quiet(), open_file(path) as stream:
            dataset = dcmread(stream)
            wanted = Tag(int(tag, 16))
            for element in dataset.iterall():
                if element.tag == wanted and isinstance(element.value, bytes):
                    return element.value
    except FOREIGN_ERRORS as error:
        raise NotDicom(f"the file cannot be read as DICOM ({type(error).__name__})") from error
    return None


def _model(dataset: Dataset, url_of: Callable[[str], str]) -> dict[str, Any]:
    def address(element: DataElement) -> str:
        return url_of(f"{int(element.tag):08X}")

    model: dict[str, Any] = dataset.to_json_dict(
        bulk_data_threshold=_LARGE, bulk_data_element_handler=address, suppress_invalid_tags=True
    )
    return model


def _pixels(dataset: Dataset) -> tuple[str, str]:
    """Return tag and value representation of the pixel data."""
    floats = "BitsAllocated" in dataset and "PixelRepresentation" not in dataset
    if floats:
        tag = "7FE00009" if dataset.BitsAllocated > _FLOAT_BITS else "7FE00008"
        return tag, PIXELS[tag]
    return "7FE00010", "OB" if dataset.get("BitsAllocated", 16) <= _BYTE_BITS else "OW"


def tag_of(name: str) -> str:
    """Return the tag of an attribute, eight hexadecimal digits, from its keyword or tag.

    Returns
    -------
    str
        "" if it is neither.
    """
    if _TAG.fullmatch(name):
        return name.upper()
    tag = tag_for_keyword(name)
    return "" if tag is None else f"{int(tag):08X}"
