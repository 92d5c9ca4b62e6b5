"""Read back what a picture or a map of ours shows: which class, on which image."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from pacs_ai.dicom.files import opened
from pacs_ai.dicom.reading import integer, items, read_until_pixels, text

_KEYWORDS = (
    "DerivationDescription",
    "ContentDescription",
    "SourceImageSequence",
    "PerFrameFunctionalGroupsSequence",
)
_OF_PICTURE = re.compile(r"Grad-CAM of class (.+?), model ")
_WHERE = re.compile(r"; image in the upper left (\d+) rows and (\d+) columns")
_OF_MAP = re.compile(r"Grad-CAM of (.+?)(?:; [^;]* analysed)?$")
_DESCRIPTION = 64  # letters of an LO


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """One frame of a result and the image that it lies over; frames count from 1."""

    frame: int
    sop_instance_uid: str
    source_frame: int


@dataclass(frozen=True, slots=True)
class ShownHeat:
    """The heat map of a class on one or more images.

    ``title`` is the name of the class; ``cut`` if its end may be missing.
    """

    title: str
    cut: bool
    frames: tuple[ShownFrame, ...]


def read_heat(path: Path) -> ShownHeat | None:
    """Read what a capture or a parametric map of ours shows; None if it has no heat map.

    Parameters
    ----------
    path
        A result of `pacs_ai.results.images.capture` or `pacs_ai.results.images.parametric_map`.

    Raises
    ------
    NotDicom
        If the bytes cannot be read as DICOM.
    StorageError
        If the file is missing or cannot be read.
    """
    with opened(path, "a result") as stream:
        return _heat(read_until_pixels(stream, _KEYWORDS).dataset)


def image_size(path: Path) -> tuple[int, int] | None:
    """Rows and columns of the image at the upper left of a capture; None if it is all of it.

    Raises
    ------
    NotDicom, StorageError
        As `read_heat` does.
    """
    with opened(path, "a result") as stream:
        described = text(read_until_pixels(stream, _KEYWORDS).dataset, "DerivationDescription")
    found = _WHERE.search(described)
    return (int(found[1]), int(found[2])) if found else None


def _heat(dataset: Dataset) -> ShownHeat | None:
    groups = items(dataset, "PerFrameFunctionalGroupsSequence")
    cut = False
    if groups:
        described = text(dataset, "ContentDescription")
        found = _OF_MAP.fullmatch(described)
        cut = len(described) >= _DESCRIPTION
        frames = tuple(_frames(groups))
    else:
        found = _OF_PICTURE.match(text(dataset, "DerivationDescription"))
        frames = tuple(_shown(dataset, 1))
    return ShownHeat(found[1], cut, frames) if found and frames else None


def _frames(groups: list[Dataset]) -> Iterator[ShownFrame]:
    for number, group in enumerate(groups, start=1):
        if any(text(content, "FrameComments") for content in items(group, "FrameContentSequence")):
            continue  # a slice without a heat map
        for derived in items(group, "DerivationImageSequence")[:1]:
            yield from _shown(derived, number)


def _shown(holder: Dataset, frame: int) -> Iterator[ShownFrame]:
    for source in items(holder, "SourceImageSequence")[:1]:
        of = integer(source, "ReferencedFrameNumber", 1)
        yield ShownFrame(frame, text(source, "ReferencedSOPInstanceUID"), max(1, of))
