"""Rules for the results of a study together: their root, and what they share with the images."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from pacs_ai.air.content import (
    TRACKING_UID,
    children,
    evidence,
    frame_sources,
    listed,
    references,
    tree,
    tree_references,
)
from pacs_ai.air.general_rules import segments
from pacs_ai.air.location_rules import places
from pacs_ai.air.objects import RESULTS, Kind, ResultObject, ResultSet
from pacs_ai.air.rule import Level, set_rule
from pacs_ai.dicom.reading import integer, numbers, text

_PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "IssuerOfPatientID")
_STUDY = ("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName")
_FRAMED = (Kind.SEGMENTATION, Kind.MAP)


def _of_kind(found: ResultSet, *kinds: Kind) -> list[ResultObject]:
    return [one for one in found.objects if one.kind in kinds]


@set_rule(Level.REQUIRED, source="AIR, Volume 1, scope of the profile")
def software_can_read(found: ResultSet) -> Iterator[str]:
    """Put pictures and documents beside results that software can read."""
    others = _of_kind(found, Kind.PICTURE, Kind.DOCUMENT)
    if others and not _of_kind(found, Kind.OTHER_REPORT, *RESULTS):
        yield f"{len(others)} pictures or documents, and nothing that software can read"


@set_rule(
    Level.REQUIRED,
    source="AIR 6.5.3 (root result)",
    when=lambda found: len(found.objects) > 1 and bool(_of_kind(found, *RESULTS)),
)
def one_root(found: ResultSet) -> Iterator[str]:
    """Refer from a measurement report to each other result of the study."""
    reports = _of_kind(found, Kind.REPORT)
    if not reports:
        yield "no measurement report ties the results together"
        return
    referred = set().union(
        *(evidence(one.dataset) for one in reports),
        *({each.sop_instance_uid for each in tree_references(one.dataset)} for one in reports),
    )
    lost = [one.path for one in found.objects if one.uid not in referred and one not in reports]
    if lost:
        yield f"no measurement report refers to {listed(lost)}"
    roots = [one.path for one in reports if one.uid not in referred]
    if len(roots) == len(reports) > 1 and not _many_algorithms(found):
        yield f"several reports, and none refers to the others: {listed(roots)}"


def _many_algorithms(found: ResultSet) -> bool:
    """Tell whether the reports are of several algorithms, each of which may have its own root."""
    devices = {
        tuple(text(item, "UID") for item in children(one.dataset, ("121012", "DCM")))
        for one in _of_kind(found, Kind.REPORT)
    }
    return len(devices) > 1


@set_rule(
    Level.ADVISED,
    source="AIR 6.5.3 (root result)",
    when=lambda found: bool(_of_kind(found, Kind.REPORT, Kind.KEY_OBJECTS)),
)
def references_lead_somewhere(found: ResultSet) -> Iterator[str]:
    """Keep what reports and key object selections refer to beside them."""
    here = {one.uid for one in found.objects} | set(found.images)
    classes = {text(one.dataset, "SOPClassUID") for one in found.objects}
    classes |= {text(image.dataset, "SOPClassUID") for image in found.images.values()}
    for one in _of_kind(found, Kind.REPORT, Kind.KEY_OBJECTS):
        lost = {
            each.sop_instance_uid
            for each in tree_references(one.dataset)
            if each.sop_class_uid in classes and each.sop_instance_uid not in here
        }
        if lost:
            yield f"{one.path} refers to {len(lost)} objects that are not here"


@set_rule(Level.REQUIRED, source="PS3.3 C.7.1.1")
def one_patient(found: ResultSet) -> Iterator[str]:
    """Give results and images of a study the same patient attributes."""
    yield from _differing(found, _PATIENT)


@set_rule(Level.REQUIRED, source="PS3.3 C.7.2.1")
def one_study(found: ResultSet) -> Iterator[str]:
    """Give results and images of a study the same study attributes."""
    yield from _differing(found, _STUDY)


def _differing(found: ResultSet, keywords: Sequence[str]) -> Iterator[str]:
    """Name attributes that differ, never their values."""
    objects = [(one.path, one.dataset) for one in found.objects]
    objects += [(image.path, image.dataset) for image in found.images.values()]
    for keyword in keywords:
        said = [(path, text(dataset, keyword).strip()) for path, dataset in objects]
        [(common, _)] = Counter(value for _, value in said).most_common(1)
        odd = [path for path, value in said if value != common]
        if odd:
            yield f"{keyword} differs in {listed(odd)}"


@set_rule(Level.REQUIRED, source="PS3.3 C.12.1")
def instances_unique(found: ResultSet) -> Iterator[str]:
    """Give each object a SOP Instance UID of its own."""
    counted = Counter(one.uid for one in found.objects)
    for uid in (uid for uid, count in counted.items() if count > 1):
        yield f"the same UID: {listed(one.path for one in found.objects if one.uid == uid)}"


@set_rule(
    Level.ADVISED,
    source="PS3.3 C.12.1",
    when=lambda found: any(_synthetic(image.dataset) for image in found.images.values()),
)
def synthetic_data_stated(found: ResultSet) -> Iterator[str]:
    """Say of results of images that were made artificially that they are synthetic data."""
    silent = [one.path for one in found.objects if not _synthetic(one.dataset)]
    if silent:
        yield f"Synthetic Data (0008,001C) of the images is YES, not of {listed(silent)}"


def _synthetic(dataset: Dataset) -> bool:
    return text(dataset, "SyntheticData") == "YES"


@set_rule(Level.REQUIRED, source="PS3.3 C.7.3.1, A.1.2.3")
def series_alike(found: ResultSet) -> Iterator[str]:
    """Keep one modality in a series, and results out of the series of the images."""
    series: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for one in found.objects:
        uid = text(one.dataset, "SeriesInstanceUID")
        series[uid].append((one.path, text(one.dataset, "Modality")))
    for members in series.values():
        if len({modality for _, modality in members}) > 1:
            yield f"several modalities in one series: {listed(path for path, _ in members)}"
    taken = {text(image.dataset, "SeriesInstanceUID") for image in found.images.values()}
    for uid in taken & set(series):
        yield f"in a series of the images: {listed(path for path, _ in series[uid])}"


@set_rule(
    Level.REQUIRED,
    source="PS3.3 C.7.4.1, C.8.20.2",
    when=lambda found: bool(found.images) and bool(_of_kind(found, *_FRAMED)),
)
def frame_of_reference_shared(found: ResultSet) -> Iterator[str]:
    """Give segmentations and maps the frame of reference of their source images."""
    for one in _of_kind(found, *_FRAMED):
        own = text(one.dataset, "FrameOfReferenceUID")
        sources = set().union(*frame_sources(one.dataset)) & set(found.images)
        stated = {_frame_of_reference(found.images[uid].dataset) for uid in sources}
        if stated - {"", own}:
            yield f"{one.path} has another frame of reference than its source images"


def _frame_of_reference(image: Dataset) -> str:
    """Return the frame of reference of an image; "" if it has no place in it.

    That is if the UID is that of study or series, or if no frame states its position.
    """
    uid = text(image, "FrameOfReferenceUID")
    borrowed = (text(image, "StudyInstanceUID"), text(image, "SeriesInstanceUID"))
    return "" if uid in borrowed or not _has_position(image) else uid


def _has_position(image: Dataset) -> bool:
    groups = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
    frames = (frame for name in groups for frame in image.get(name) or ())
    return "ImagePositionPatient" in image or any("PlanePositionSequence" in one for one in frames)


@set_rule(
    Level.REQUIRED,
    source="PS3.3 C.18.6.1.2",
    when=lambda found: bool(found.images) and any(map(_placed, found.objects)),
)
def places_within_images(found: ResultSet) -> Iterator[str]:
    """Keep coordinates within the image that they are selected from."""
    for one in _of_kind(found, Kind.REPORT):
        outside = sum(_outside(place, found) for place in places(one.dataset))
        if outside:
            yield f"{one.path} has {outside} coordinates outside their image"


def _placed(one: ResultObject) -> bool:
    return one.kind is Kind.REPORT and bool(places(one.dataset))


def _outside(place: Dataset, found: ResultSet) -> bool:
    shown = [
        found.images[each.sop_instance_uid].dataset
        for each in references(tree(place), "ReferencedSOPSequence")
        if each.sop_instance_uid in found.images
    ]
    data = numbers(place, "GraphicData")
    return any(
        not 0 <= value <= integer(image, ("Columns", "Rows")[axis % 2])
        for image in shown
        for axis, value in enumerate(data)
    )


@set_rule(
    Level.ADVISED,
    source="AIR 6.5.3; PS3.3 C.8.20.2",
    when=lambda found: (
        bool(_of_kind(found, Kind.REPORT)) and any(_tracked(one) for one in found.objects)
    ),
)
def tracking_joins(found: ResultSet) -> Iterator[str]:
    """Give a finding one Tracking UID in reports, segmentations and maps."""
    known = {
        text(item, "UID")
        for one in _of_kind(found, Kind.REPORT)
        for item in tree(one.dataset)
        for item in children(item, TRACKING_UID)
    }
    lost = [one.path for one in found.objects if _tracked(one) - known]
    if lost:
        yield f"no report has the Tracking UID of {listed(lost)}"


def _tracked(one: ResultObject) -> set[str]:
    """Tracking UIDs of the segments, or of the map."""
    if one.kind is Kind.MAP:
        stated = [one.dataset]
    else:
        stated = [item for _, item in segments(one)] if one.kind is Kind.SEGMENTATION else []
    return {text(item, "TrackingUID") for item in stated} - {""}


RULES = (
    software_can_read,
    one_root,
    references_lead_somewhere,
    one_patient,
    one_study,
    instances_unique,
    synthetic_data_stated,
    series_alike,
    frame_of_reference_shared,
    places_within_images,
    tracking_joins,
)
