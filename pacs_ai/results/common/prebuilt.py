"""Content that highdicom makes once, used again with other values.

highdicom checks every content item when it makes it. For a report that takes longer than reading,
classifying and explaining its image. The parts that reports share are therefore made and checked
once; later only the differing values are filled in. Tests compare the outcome with highdicom's.
"""

import functools
from collections.abc import Sequence

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import DS

from pacs_ai.dicom.constant_dataset import Constant, constant
from pacs_ai.dicom.validate import check_content
from pacs_ai.errors import InvalidResult


def shared(item: Dataset) -> Constant:
    """Make a content item that reports share; it is checked now, and not again when it is used.

    Raises
    ------
    InvalidResult
        If it breaks a rule of the standard.
    """
    problems = check_content(item)
    if problems:
        raise InvalidResult(f"content that reports share: {problems[0]}")
    return constant(item)


def changed(item: Dataset, **values: object) -> Dataset:
    """Copy a data set with other values.

    Parameters
    ----------
    item
        The pattern. What stays is shared with the copy.
    values
        By keyword, what takes the place of the pattern's elements or is added.
    """
    elements = {element.tag: element for element in item.elements()}
    for keyword, value in values.items():
        tag, vr = _dictionary(keyword)
        elements[tag] = DataElement(tag, vr, value)
    return Dataset(elements)


@functools.cache
def _dictionary(keyword: str) -> tuple[BaseTag, str]:
    """Tag and VR of an element (PS3.6), looked up once."""
    return Tag(keyword), dictionary_VR(keyword)


def copied(dataset: Dataset) -> Dataset:
    """Copy a data set so that the copy's elements, not the values in them, can be changed."""
    return Dataset(
        {
            element.tag: DataElement(element.tag, element.VR, element.value, already_converted=True)
            for element in dataset
        }
    )


def number(item: Dataset, value: float, places: Sequence[Dataset]) -> Dataset:
    """Fill in a number and what lies below it.

    Parameters
    ----------
    item
        Content item of value type NUM.
    value
        In the unit of the pattern.
    places
        Content items with coordinates, see `placed`; none for a number that is about no place.
    """
    measured = changed(
        item.MeasuredValueSequence[0],
        NumericValue=DS(value, auto_format=True),
        FloatingPointValue=float(value),
    )
    made = changed(item, MeasuredValueSequence=[measured], ContentSequence=list(places))
    if not places:
        del made.ContentSequence
    return made


def placed(
    item: Dataset, point: tuple[float, float], image: Dataset, origin: str | None = None
) -> Dataset:
    """Fill in a point on an image.

    Parameters
    ----------
    item
        Content item of value type SCOORD, with an IMAGE below.
    point
        (column, row) in pixels.
    image
        Item of Referenced SOP Sequence.
    origin
        Pixel Origin Interpretation; None where it need not be said.
    """
    source = changed(item.ContentSequence[0], ReferencedSOPSequence=[image])
    made = changed(item, GraphicData=list(point), ContentSequence=[source])
    if origin is not None:
        made.PixelOriginInterpretation = origin
    return made
