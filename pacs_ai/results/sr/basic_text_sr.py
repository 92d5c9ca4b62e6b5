"""The content of a report as Basic Text SR may hold it (PS3.3 Section A.35.1.3.1.2).

That class has neither numbers nor coordinates, so no template of measurements.
"""

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import items, text

_CONTENT = "ContentSequence"
_COORDINATES = frozenset({"SCOORD", "SCOORD3D", "TCOORD"})


def keep_text(report: Dataset) -> None:
    """Leave in a report what Basic Text SR may hold; changed in place.

    A number becomes text with its unit. In place of coordinates stands the image that they are on,
    unless the same group of content items names it already.
    """
    _keep_text_below(report)


def _keep_text_below(item: Dataset) -> None:
    if "ContentTemplateSequence" in item:
        del item.ContentTemplateSequence
    if item.get("ValueType") == "NUM":
        _write_number(item)
    below: Sequence[Dataset] = items(item, _CONTENT)
    if not below:
        return
    kept = [one for one in below if one.ValueType not in _COORDINATES]
    named = {_image(one) for one in kept if one.ValueType == "IMAGE"}
    for coordinates in below:
        if coordinates.ValueType in _COORDINATES:
            for image in _images_of(coordinates):
                if _image(image) not in named:
                    named.add(_image(image))
                    image.RelationshipType = coordinates.RelationshipType
                    kept.append(image)
    for one in kept:
        _keep_text_below(one)
    if kept:
        item.ContentSequence = kept
    else:
        del item.ContentSequence


def _write_number(item: Dataset) -> None:
    """Make a text of a number: ``75.85 %``."""
    values = items(item, "MeasuredValueSequence")
    said = "not measured"
    if values:
        unit = next(iter(items(values[0], "MeasurementUnitsCodeSequence")), Dataset())
        said = f"{text(values[0], 'NumericValue')} {_unit(unit)}".strip()
    for keyword in ("MeasuredValueSequence", "NumericValueQualifierCodeSequence"):
        if keyword in item:
            delattr(item, keyword)
    item.ValueType, item.TextValue = "TEXT", said


def _unit(code: Dataset) -> str:
    """Return how people write a unit: annotations of UCUM in braces by their meaning."""
    value = text(code, "CodeValue")
    return text(code, "CodeMeaning").lower() if value.startswith("{") or value == "1" else value


def _images_of(coordinates: Dataset) -> Iterator[Dataset]:
    return (one for one in items(coordinates, _CONTENT) if one.ValueType == "IMAGE")


def _image(item: Dataset) -> tuple[str, ...]:
    """Name the image, and the frames of it, that a content item refers to."""
    reference = next(iter(items(item, "ReferencedSOPSequence")), Dataset())
    frames = reference.get("ReferencedFrameNumber") or ()
    return text(reference, "ReferencedSOPInstanceUID"), str(frames)
