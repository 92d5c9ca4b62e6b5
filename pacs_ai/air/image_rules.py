"""Rules for results that are images of their own: segmentations, maps and key object selections."""

from collections.abc import Iterator

from pydicom.dataset import Dataset

from pacs_ai.air.content import (
    children,
    code,
    concept,
    frame_sources,
    functional_groups,
    listed,
    references,
)
from pacs_ai.air.general_rules import algorithms, computed_segments, segments, tiled
from pacs_ai.air.objects import Kind, ResultObject
from pacs_ai.air.rule import Level, object_rule
from pacs_ai.dicom.reading import items, text
from pacs_ai.uids import valid_uid

_TYPES = ("BINARY", "FRACTIONAL", "LABELMAP")
_MACRO = {
    "AlgorithmFamilyCodeSequence": "family",
    "AlgorithmName": "name",
    "AlgorithmVersion": "version",
}
_ALGORITHM = "SegmentationAlgorithmIdentificationSequence"


@object_rule(Level.REQUIRED, Kind.SEGMENTATION, source="PS3.3 C.8.20.2")
def segmentation_type(one: ResultObject) -> Iterator[str]:
    """Make a segmentation binary, fractional or a label map, with what its type needs."""
    kind = text(one.dataset, "SegmentationType")
    if kind not in _TYPES:
        yield "Segmentation Type (0062,0001) is not BINARY, FRACTIONAL or LABELMAP"
    elif kind == "FRACTIONAL":
        needed = ("SegmentationFractionalType", "MaximumFractionalValue")
        missing = [keyword for keyword in needed if not text(one.dataset, keyword)]
        if missing:
            yield f"a fractional segmentation needs {listed(missing)}"


@object_rule(Level.REQUIRED, Kind.SEGMENTATION, source="PS3.3 C.8.20.4")
def segments_described(one: ResultObject) -> Iterator[str]:
    """Describe each segment: number, label, category, type, and how it was made."""
    found = segments(one)
    if not found:
        yield "Segment Sequence (0062,0002) describes no segment"
    if len({name for name, _ in found}) < len(found):
        yield "two segments have the same number"
    for name, item in found:
        codes = ("SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence")
        missing = [key for key in ("SegmentLabel", "SegmentAlgorithmType") if not text(item, key)]
        missing += [key for key in codes if code(item, key) is None]
        if missing:
            yield f"{name} lacks {listed(missing, len(missing))}"


@object_rule(
    Level.REQUIRED,
    Kind.SEGMENTATION,
    source="PS3.3 C.8.20.2",
    when=lambda one: bool(computed_segments(one)),
)
def segment_algorithm_named(one: ResultObject) -> Iterator[str]:
    """Name the algorithm of a segment that was not made by hand."""
    for name, item in computed_segments(one):
        if not text(item, "SegmentAlgorithmName"):
            yield f"{name} has no Segment Algorithm Name (0062,0009)"


@object_rule(
    Level.ADVISED,
    Kind.SEGMENTATION,
    source="PS3.3 C.8.20.2; AIR 6.5.3.1",
    when=lambda one: bool(computed_segments(one)),
)
def segment_algorithm_identified(one: ResultObject) -> Iterator[str]:
    """Identify the algorithm of a segment with family, name and version."""
    for name, item in computed_segments(one):
        if not items(item, _ALGORITHM):
            yield f"{name} has no Segmentation Algorithm Identification Sequence (0062,0007)"


@object_rule(
    Level.REQUIRED,
    Kind.SEGMENTATION,
    source="PS3.3 10.16",
    when=lambda one: any(items(item, _ALGORITHM) for _, item in segments(one)),
)
def segment_algorithm_complete(one: ResultObject) -> Iterator[str]:
    """State family, name and version of an algorithm where it is identified."""
    for name, item in segments(one):
        for found in items(item, _ALGORITHM):
            missing = [said for key, said in _MACRO.items() if not _filled(found, key)]
            if missing:
                yield f"the algorithm of {name} has no {listed(missing)}"


@object_rule(
    Level.ADVISED,
    Kind.SEGMENTATION,
    source="AIR 6.5.3.1, Table 6.5.3.1-1",
    when=lambda one: (
        bool(algorithms(one)) and any(items(item, _ALGORITHM) for _, item in segments(one))
    ),
)
def segment_algorithm_agrees(one: ResultObject) -> Iterator[str]:
    """Give the algorithm of a segment the name and version that the equipment has."""
    known = {
        (text(item, "ManufacturerModelName"), text(item, "SoftwareVersions"))
        for item in algorithms(one)
    }
    for name, item in segments(one):
        for found in items(item, _ALGORITHM):
            if (text(found, "AlgorithmName"), text(found, "AlgorithmVersion")) not in known:
                yield f"name or version of the algorithm of {name} are not those of the equipment"


@object_rule(Level.REQUIRED, Kind.SEGMENTATION, source="PS3.3 C.8.20.2")
def segment_tracking_whole(one: ResultObject) -> Iterator[str]:
    """Give a segment both Tracking ID and Tracking UID, or neither."""
    for name, item in segments(one):
        if bool(text(item, "TrackingID")) != valid_uid(text(item, "TrackingUID")):
            yield f"{name} has only one of Tracking ID (0062,0020) and Tracking UID (0062,0021)"


@object_rule(Level.ADVISED, Kind.SEGMENTATION, source="AIR 6.5.3; PS3.3 C.8.20.2")
def segment_tracked(one: ResultObject) -> Iterator[str]:
    """Give a segment a Tracking UID, so that it can be joined to its finding."""
    for name, item in segments(one):
        if not text(item, "TrackingUID"):
            yield f"{name} has no Tracking UID (0062,0021)"


@object_rule(
    Level.REQUIRED,
    Kind.SEGMENTATION,
    Kind.MAP,
    source="PS3.3 C.7.6.16.2.6, A.51.5, A.75.5",
    when=lambda one: not tiled(one),
)
def frames_have_sources(one: ResultObject) -> Iterator[str]:
    """Name the image from which each frame was derived."""
    sources = frame_sources(one.dataset)
    lost = [number for number, found in enumerate(sources, start=1) if not found]
    if not sources:
        yield "Per-Frame Functional Groups Sequence (5200,9230) describes no frame"
    elif lost:
        yield f"{len(lost)} of {len(sources)} frames name no source image: frame {listed(lost)}"


@object_rule(Level.REQUIRED, Kind.SEGMENTATION, Kind.MAP, source="PS3.3 C.12.2")
def sources_listed(one: ResultObject) -> Iterator[str]:
    """List the images that frames were derived from by series."""
    other_studies = [
        series
        for study in items(one.dataset, "StudiesContainingOtherReferencedInstancesSequence")
        for series in items(study, "ReferencedSeriesSequence")
    ]
    series = [*items(one.dataset, "ReferencedSeriesSequence"), *other_studies]
    known = {found.sop_instance_uid for found in references(series, "ReferencedInstanceSequence")}
    wanted = set().union(*frame_sources(one.dataset))
    if missing := wanted - known:
        yield (
            f"{len(missing)} of {len(wanted)} source images are missing in Referenced Series"
            " Sequence (0008,1115)"
        )


@object_rule(Level.REQUIRED, Kind.MAP, source="PS3.3 A.75.5, C.7.6.16.2.11")
def map_has_real_values(one: ResultObject) -> Iterator[str]:
    """Say what the stored values of each frame of a map mean, with a unit."""
    frames = functional_groups(one.dataset, "RealWorldValueMappingSequence")
    lost = [
        number
        for number, found in enumerate(frames, start=1)
        if not found or any(code(item, "MeasurementUnitsCodeSequence") is None for item in found)
    ]
    if lost:
        yield f"{len(lost)} of {len(frames)} frames have no real world values with a unit"


@object_rule(Level.ADVISED, Kind.MAP, source="PS3.3 C.7.6.16.2.11")
def map_quantity_coded(one: ResultObject) -> Iterator[str]:
    """Say with a code what quantity a map shows."""
    frames = functional_groups(one.dataset, "RealWorldValueMappingSequence")
    if not all(items(item, "QuantityDefinitionSequence") for found in frames for item in found):
        yield "Quantity Definition Sequence (0040,9220) is missing: the quantity has no code"


@object_rule(Level.REQUIRED, Kind.KEY_OBJECTS, source="PS3.16 TID 2010, CID 7010")
def selection_titled(one: ResultObject) -> Iterator[str]:
    """Say with a code why key objects were selected."""
    if not all(concept(one.dataset) or ("",)):
        yield "the title has no code"


@object_rule(Level.REQUIRED, Kind.KEY_OBJECTS, source="PS3.16 TID 2010")
def selection_refers(one: ResultObject) -> Iterator[str]:
    """Refer to at least one key object, and give references no purpose."""
    kinds = ("IMAGE", "COMPOSITE", "WAVEFORM")
    found = [item for kind in kinds for item in children(one.dataset, value_type=kind)]
    if not found:
        yield "no object is selected"
    if any(concept(item) for item in found):
        yield "selected objects have concept names: the template has none"


def _filled(item: Dataset, keyword: str) -> bool:
    return bool(items(item, keyword) or text(item, keyword))


RULES = (
    segmentation_type,
    segments_described,
    segment_algorithm_named,
    segment_algorithm_identified,
    segment_algorithm_complete,
    segment_algorithm_agrees,
    segment_tracking_whole,
    segment_tracked,
    frames_have_sources,
    sources_listed,
    map_has_real_values,
    map_quantity_coded,
    selection_titled,
    selection_refers,
)
