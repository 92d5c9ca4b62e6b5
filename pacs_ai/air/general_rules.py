"""Rules for results of every kind: what made them, and what their IOD demands."""

from collections.abc import Iterator

from pydicom.dataset import Dataset

from pacs_ai.air.content import children, code, codes, listed
from pacs_ai.air.objects import Kind, ResultObject
from pacs_ai.air.rule import Level, object_rule
from pacs_ai.dicom.modules import REQUIREMENTS
from pacs_ai.dicom.reading import integer, items, text
from pacs_ai.dicom.validate import check_dataset

PROCESSING_EQUIPMENT = ("109102", "DCM")

OBSERVER_TYPE = ("121005", "DCM")
_PERSON = ("121006", "DCM")
_BACKGROUND = 0  # a label map may describe it as a segment
_PIXELS = ("PixelData", "DoubleFloatPixelData")

_DETAILS = {
    "Manufacturer": "Manufacturer (0008,0070)",
    "ManufacturerModelName": "Manufacturer's Model Name (0008,1090)",
    "SoftwareVersions": "Software Versions (0018,1020)",
    "DeviceUID": "Device UID (0018,1002)",
}


def algorithms(one: ResultObject) -> list[Dataset]:
    """Items of Contributing Equipment Sequence that stand for an algorithm."""
    return [
        item
        for item in items(one.dataset, "ContributingEquipmentSequence")
        if PROCESSING_EQUIPMENT in codes(item, "PurposeOfReferenceCodeSequence")
    ]


def segments(one: ResultObject) -> list[tuple[str, Dataset]]:
    """Segments of a segmentation, each with a name for a person; without a background."""
    return [
        (f"segment {integer(item, 'SegmentNumber')}", item)
        for item in items(one.dataset, "SegmentSequence")
        if integer(item, "SegmentNumber") != _BACKGROUND
    ]


def computed_segments(one: ResultObject) -> list[tuple[str, Dataset]]:
    """Segments that were not made by hand."""
    return [
        (name, item)
        for name, item in segments(one)
        if text(item, "SegmentAlgorithmType") != "MANUAL"
    ]


def computed(one: ResultObject) -> bool:
    """Tell whether nothing says that a person alone made the result."""
    if one.kind is Kind.SEGMENTATION:
        return bool(computed_segments(one))
    observers = [code(item, "ConceptCodeSequence") for item in children(one.dataset, OBSERVER_TYPE)]
    return not observers or any(observer != _PERSON for observer in observers)


def tiled(one: ResultObject) -> bool:
    """Tell whether the order of the frames says where each lies (PS3.3 Section C.7.6.17.3)."""
    return text(one.dataset, "DimensionOrganizationType") == "TILED_FULL"


@object_rule(Level.REQUIRED, source="AIR 6.5.3.1", when=computed)
def algorithm_named(one: ResultObject) -> Iterator[str]:
    """Name each algorithm in Contributing Equipment Sequence, as Processing Equipment."""
    if algorithms(one):
        return
    if items(one.dataset, "ContributingEquipmentSequence"):
        yield (
            "no item of Contributing Equipment Sequence (0018,A001) has the purpose (109102, DCM,"
            ' "Processing Equipment"), so nothing says which algorithm made the result'
        )
    else:
        yield "Contributing Equipment Sequence (0018,A001) is missing: no algorithm is named"


@object_rule(Level.REQUIRED, source="AIR 6.5.3.1", when=lambda one: bool(algorithms(one)))
def algorithm_described(one: ResultObject) -> Iterator[str]:
    """State manufacturer, name, version and Device UID of each algorithm."""
    for number, item in enumerate(algorithms(one), start=1):
        missing = [name for keyword, name in _DETAILS.items() if not text(item, keyword)]
        if missing:
            yield f"algorithm {number} lacks {listed(missing, len(_DETAILS))}"


@object_rule(
    Level.REQUIRED,
    source="PS3.3 Annex A",
    when=lambda one: text(one.dataset, "SOPClassUID") in REQUIREMENTS,
)
def modules_complete(one: ResultObject) -> Iterator[str]:
    """Fill the attributes that the modules of the SOP class require, with legal values."""
    found = {keyword for keyword in _PIXELS if keyword in one.dataset}
    missing = {"FloatPixelData"} if found else set()  # a map of another type than ours
    missing |= {"PerFrameFunctionalGroupsSequence"} if tiled(one) else set()
    problems = [each for each in check_dataset(one.dataset) if each.attribute not in missing]
    if problems:
        yield listed(problems, 5)


@object_rule(Level.ADVISED, Kind.PICTURE, source="PS3.3 C.7.6.1")
def picture_source(one: ResultObject) -> Iterator[str]:
    """Name the image that a picture shows in Source Image Sequence."""
    if not items(one.dataset, "SourceImageSequence"):
        yield "Source Image Sequence (0008,2112) is missing: nothing says which image is shown"


@object_rule(Level.ADVISED, Kind.PICTURE, Kind.DOCUMENT, source="PS3.3 C.7.6.1, C.24.2")
def burned_in_text_stated(one: ResultObject) -> Iterator[str]:
    """State whether text is burned into a picture or document."""
    if text(one.dataset, "BurnedInAnnotation") not in ("YES", "NO"):
        yield "Burned In Annotation (0028,0301) is neither YES nor NO"


@object_rule(Level.ADVISED, Kind.OTHER_REPORT, source="AIR 6.5.3.2, 6.5.3.4")
def findings_in_measurement_report(one: ResultObject) -> Iterator[str]:
    """Put findings, measurements and locations into a report that follows TID 1500."""
    del one  # its kind says that it does not
    yield (
        "this report follows another template than TID 1500: displays that follow AIR do not"
        " look for findings in it"
    )


RULES = (
    algorithm_named,
    algorithm_described,
    modules_complete,
    picture_source,
    burned_in_text_stated,
    findings_in_measurement_report,
)
