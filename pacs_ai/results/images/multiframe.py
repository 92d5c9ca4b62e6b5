"""Frames of a multi-frame result: their grouping, position and source.

Multi-frame Functional Groups and Dimension Modules, PS3.3 Sections C.7.6.16 and C.7.6.17.
Built here rather than by highdicom, which needs a frame of reference of every source.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import format_number_as_ds

from pacs_ai.domain import ImagePrediction, InstanceHeader
from pacs_ai.results.common.codes import SOURCE_IMAGE
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.common.object_header import copy_body_part, referenced_frame, references
from pacs_ai.results.images.picture_geometry import patient_orientation
from pacs_ai.results.images.plane import Plane, Vector, plane_of
from pacs_ai.uids import derived_uid


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """The image, or frame of one, from which a frame of the result comes.

    ``remark`` says why the frame shows nothing, "" if it shows something.
    """

    header: InstanceHeader
    frame: int
    remark: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """Tell it apart from all others."""
        return self.header.sop_instance_uid, self.frame


@dataclass(frozen=True, slots=True)
class Stack:
    """Images of one size and one geometry, with the plane of each: one multi-frame object."""

    sources: tuple[SourceFrame, ...]
    planes: tuple[Plane, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        header = self.sources[0].header
        return header.rows, header.columns

    @property
    def measured(self) -> bool:
        """Whether the sources say how large their pixels are in the patient."""
        plane = self.planes[0]
        return not plane.made and plane.spacing is not None and plane.thickness is not None

    def key(self) -> tuple[str, ...]:
        """Tell the stack's instance apart from the others of its series."""
        return tuple(f"{uid}#{frame}" for uid, frame in (one.key for one in self.sources))


def stacks(images: Sequence[ImagePrediction], evidence: Evidence) -> list[Stack]:
    """Put the images together that can be frames of one object."""
    alike: dict[tuple[object, ...], list[tuple[SourceFrame, Plane]]] = {}
    for image in images:
        source = SourceFrame(image.header, image.frame)
        plane = plane_of(evidence.source(image.header), image.frame)
        alike.setdefault(_alike(source, plane), []).append((source, plane))
    return [_stack(pairs) for pairs in alike.values()]


def whole_series(stack: Stack, others: Iterable[SourceFrame], evidence: Evidence) -> Stack:
    """Add the other images of a series to a stack, in the order in which viewers lay out volumes.

    Parameters
    ----------
    stack
        Images of one series.
    others
        What the stack gets if it has the same size and geometry.
    evidence
        Headers of the instances.

    Notes
    -----
    OHIF 3.13 lays the frames of a map over a volume one after the other, whatever they refer to.
    Its volumes begin at the slice that is farthest along the normal of the planes.
    """
    pairs = list(zip(stack.sources, stack.planes, strict=True))
    taken, wanted = {one.key for one in stack.sources}, _alike(*pairs[0])
    for other in others:
        if other.key in taken or other.header.series_instance_uid != wanted[0]:
            continue
        plane = plane_of(evidence.source(other.header), other.frame)
        if _alike(other, plane) == wanted:
            pairs.append((other, plane))
    return _stack(sorted(pairs, key=lambda pair: -pair[1].depth))


def _alike(source: SourceFrame, plane: Plane) -> tuple[object, ...]:
    """Return what the frames of one object have in common."""
    header = source.header
    return (header.series_instance_uid, header.rows, header.columns, *plane.stack)


def _stack(pairs: Sequence[tuple[SourceFrame, Plane]]) -> Stack:
    return Stack(tuple(source for source, _ in pairs), tuple(plane for _, plane in pairs))


def describe_frames(
    target: Dataset, stack: Stack, evidence: Evidence, derivation: CodedConcept
) -> None:
    """State the sources of the frames and their order.

    Parameters
    ----------
    target
        The object, its UIDs set; changed in place.
    stack
        Its frames.
    evidence
        Headers of the analysed instances.
    derivation
        Code for how a frame was derived from its source.
    """
    first = evidence.source(stack.sources[0].header)
    target.Rows, target.Columns = stack.size
    target.NumberOfFrames = len(stack.sources)
    copy_body_part(first, target)
    if stack.planes[0].made:
        target.PatientOrientation = patient_orientation(first, 1)
    target.LossyImageCompression = "00"
    target.BurnedInAnnotation = "NO"
    _dimension(target, "InStackPositionNumber", "FrameContentSequence")
    target.SharedFunctionalGroupsSequence = [Dataset()]
    target.PerFrameFunctionalGroupsSequence = [
        _derived(source, number, derivation) for number, source in enumerate(stack.sources, start=1)
    ]
    _refer(target, stack)


def place_frames(target: Dataset, stack: Stack) -> None:
    """State the position of the frames, and order them by it; call it after `describe_frames`."""
    lay_out_frames(target, stack.planes)
    target.FrameOfReferenceUID = stack.planes[0].frame_of_reference
    target.PositionReferenceIndicator = ""
    _dimension(target, "ImagePositionPatient", "PlanePositionSequence")
    ordered = sorted({plane.position for plane in stack.planes})
    groups = target.PerFrameFunctionalGroupsSequence
    for group, plane in zip(groups, stack.planes, strict=True):
        group.FrameContentSequence[0].DimensionIndexValues = ordered.index(plane.position) + 1


def lay_out_frames(target: Dataset, planes: Sequence[Plane]) -> None:
    """State the planes of the frames relative to each other, without a frame of reference."""
    plane = planes[0]
    measures, orientation = Dataset(), Dataset()
    if plane.spacing is not None:
        measures.PixelSpacing = _decimals(plane.spacing)
    if plane.thickness is not None:
        measures.SliceThickness = format_number_as_ds(plane.thickness)
    orientation.ImageOrientationPatient = _decimals(plane.orientation)
    shared = target.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    for group, own in zip(target.PerFrameFunctionalGroupsSequence, planes, strict=True):
        position = Dataset()
        position.ImagePositionPatient = _decimals(own.position)
        group.PlanePositionSequence = [position]


def _dimension(target: Dataset, keyword: str, group: str) -> None:
    organization, index = Dataset(), Dataset()
    organization.DimensionOrganizationUID = derived_uid("dimension", target.SOPInstanceUID)
    index.DimensionOrganizationUID = organization.DimensionOrganizationUID
    index.DimensionIndexPointer = Tag(keyword)
    index.FunctionalGroupPointer = Tag(group)
    target.DimensionOrganizationSequence = [organization]
    target.DimensionIndexSequence = [index]


def _derived(source: SourceFrame, place: int, derivation: CodedConcept) -> Dataset:
    groups, content, derived = Dataset(), Dataset(), Dataset()
    content.StackID = "1"
    content.InStackPositionNumber = content.DimensionIndexValues = place
    if source.remark:
        content.FrameComments = source.remark
    [reference] = references([(source.header.sop_class_uid, source.header.sop_instance_uid)])
    frame = referenced_frame(source.header, source.frame)
    if frame is not None:
        reference.ReferencedFrameNumber = frame
    reference.PurposeOfReferenceCodeSequence = [SOURCE_IMAGE]
    reference.SpatialLocationsPreserved = "YES"
    derived.DerivationCodeSequence = [derivation]
    derived.SourceImageSequence = [reference]
    groups.FrameContentSequence = [content]
    groups.DerivationImageSequence = [derived]
    return groups


def _refer(target: Dataset, stack: Stack) -> None:
    """List the sources by series, as viewers look for them (PS3.3 Section C.12.2)."""
    headers = list({i.header.sop_instance_uid: i.header for i in stack.sources}.values())
    series = Dataset()
    series.SeriesInstanceUID = headers[0].series_instance_uid
    series.ReferencedInstanceSequence = references(
        [(header.sop_class_uid, header.sop_instance_uid) for header in headers]
    )
    target.ReferencedSeriesSequence = [series]


def _decimals(values: Vector) -> list[str]:
    return [format_number_as_ds(value) for value in values]
