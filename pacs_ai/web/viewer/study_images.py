"""The images of a study in the order in which a person scrolls through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from pacs_ai.dicom.header import read_header
from pacs_ai.domain import InstanceHeader
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.loop_guard import OWN_RESULT
from pacs_ai.store import viewing
from pacs_ai.store.schema import Instance

_INSTANCES = 2000
"""As many are listed; a study of more says so."""
_FRAMES = 5000


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame of one instance: row id, number of the frame from 1, what a person calls it."""

    instance: int
    frame: int
    sop_instance_uid: str
    name: str

    @property
    def key(self) -> str:
        """Name in addresses: ``17/1``."""
        return f"{self.instance}/{self.frame}"


@dataclass(frozen=True, slots=True)
class Series:
    """A series as a person chooses it; ``windows`` says whether its images have grey values."""

    title: str
    modality: str
    windows: bool
    pictures: Sequence[Picture]


@dataclass(frozen=True, slots=True)
class StudyImages:
    """The series of a study. ``complete`` is False if it has more images than are listed.

    ``unreadable`` is the number of files that cannot be read: they are damaged, or lie in the spool
    of another node.
    """

    series: Sequence[Series]
    complete: bool
    unreadable: int


def study_images(node: FlowContext, study_id: int) -> StudyImages:
    """Read the headers of a study's images; results of ours that came back are left out."""
    with node.database.read() as session:
        rows = viewing.stored_instances(session, study_id, _INSTANCES + 1)
    headers = [
        (row, _header(node, row))
        for row in rows[:_INSTANCES]
        if not row.unusable_reason.startswith(OWN_RESULT)
    ]
    found = [(row, one) for row, one in headers if one is not None and one.has_pixels]
    found.sort(key=lambda one: _place(*one))
    series = [
        _series(list(some)) for _, some in groupby(found, lambda one: one[0].series_instance_uid)
    ]
    cut, complete = _first_frames(series)
    unreadable = sum(header is None for _, header in headers)
    return StudyImages(cut, complete and len(rows) <= _INSTANCES, unreadable)


def _header(node: FlowContext, row: Instance) -> InstanceHeader | None:
    try:
        return read_header(node.spool.path_of(row.path))
    except (NotDicom, StorageError):
        return None


def _place(row: Instance, header: InstanceHeader) -> tuple[int, str, int, int]:
    return header.series_number, row.series_instance_uid, header.instance_number, row.id


def _series(found: Sequence[tuple[Instance, InstanceHeader]]) -> Series:
    first = found[0][1]
    pictures = [
        Picture(row.id, frame, row.sop_instance_uid, _name(header, frame))
        for row, header in found
        for frame in range(1, header.frames + 1)
    ]
    count = f"{len(pictures)} image{'s' if len(pictures) > 1 else ''}"
    parts = (first.modality, first.body_part.lower(), f"series {first.series_number}", count)
    grey = first.photometric in ("MONOCHROME1", "MONOCHROME2")
    return Series(", ".join(part for part in parts if part), first.modality, grey, pictures)


def _name(header: InstanceHeader, frame: int) -> str:
    """Name an image as reports do (`pacs_ai.results.content.report_level.image_name`)."""
    number = f"image {header.instance_number}" if header.instance_number else "no number"
    return f"{number}, frame {frame}" if header.frames > 1 else number


def _first_frames(series: Sequence[Series]) -> tuple[list[Series], bool]:
    """Leave out what is beyond the limit: header may state any number of frames."""
    left, cut = _FRAMES, []
    for one in series:
        some = one.pictures[:left]
        left -= len(some)
        if some:
            cut.append(Series(one.title, one.modality, one.windows, some))
    return cut, sum(len(one.pictures) for one in series) <= _FRAMES
