"""What selection and routing need to know of an instance, read without its pixels."""

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from pydicom.datadict import dictionary_VR, keyword_dict, tag_for_keyword
from pydicom.dataset import Dataset

from pacs_ai.dicom.age import age_in_years
from pacs_ai.dicom.files import open_file
from pacs_ai.dicom.part10 import MAGIC, PREAMBLE
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.reading import (
    Opened,
    integer,
    items,
    numbers,
    read_until_pixels,
    text,
    texts,
    value_of,
)
from pacs_ai.dicom.us_or_ss import is_us_or_ss, us_or_ss
from pacs_ai.domain import InstanceHeader
from pacs_ai.errors import NotDicom

HEADER_KEYWORDS = (
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "SyntheticData",
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "BodyPartExamined",
    "ViewPosition",
    "Laterality",
    "ImageLaterality",
    "PatientAge",
    "PatientBirthDate",
    "StudyDate",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")
_Position = tuple[float, float, float]
_Orientation = tuple[float, float, float, float, float, float]


def is_dicom_file(path: Path) -> bool:
    """Tell whether a file looks like DICOM from its first bytes; False if it cannot be opened.

    A file is taken by its prefix ``DICM``, or, as some old writers left the preamble out, by
    starting with an element of group 0002 or 0008.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(PREAMBLE + len(MAGIC))
    except OSError:
        return False
    return head.endswith(MAGIC) or (head[:2] in _FIRST_GROUPS and head[3:4] == b"\0")


def read_header(path: Path, patient_path: Path | None = None) -> InstanceHeader:
    """Read what an instance is, without its pixels.

    Parameters
    ----------
    path
        A Part 10 file, or a bare data set that names its UIDs.
    patient_path
        Another file of the study that says who the patient is, where this one does not.

    Raises
    ------
    NotDicom
        If the bytes cannot be read as DICOM, or lack one of the four UIDs that identify an
        instance.
    StorageError
        If the file is missing or cannot be read.

    Notes
    -----
    For an enhanced multi-frame image, position and orientation are those that all frames share
    (PS3.3 Section C.7.6.16), or None; then each frame has an orientation of its own.
    """
    with quiet():
        header = header_of(path, _open(path, HEADER_KEYWORDS))
        if patient_path is None:
            return header
        age = age_in_years(_open(patient_path, HEADER_KEYWORDS).dataset)
        return replace(header, patient_path=patient_path, age_years=age)


def header_of(path: Path, opened: Opened) -> InstanceHeader:
    """Return what an instance is.

    Parameters
    ----------
    path
        Of its file.
    opened
        What was read of it: at least the elements of `HEADER_KEYWORDS`.

    Raises
    ------
    NotDicom
        If one of the four UIDs is missing that identify an instance.
    """
    dataset = opened.dataset
    uids = [text(dataset, keyword) for keyword in _UIDS]
    missing = [keyword for keyword, uid in zip(_UIDS, uids, strict=True) if not uid]
    if missing:
        raise NotDicom(f"the data set has no {', '.join(missing)}")
    position, orientation = _plane(dataset)
    frames = max(1, integer(dataset, "NumberOfFrames", 1))
    return InstanceHeader(
        path=path,
        sop_class_uid=uids[0],
        sop_instance_uid=uids[1],
        study_instance_uid=uids[2],
        series_instance_uid=uids[3],
        transfer_syntax_uid=opened.transfer_syntax_uid,
        modality=text(dataset, "Modality"),
        body_part=text(dataset, "BodyPartExamined"),
        view_position=text(dataset, "ViewPosition"),
        laterality=text(dataset, "Laterality") or text(dataset, "ImageLaterality"),
        photometric=text(dataset, "PhotometricInterpretation"),
        image_type=texts(dataset, "ImageType"),
        rows=max(0, integer(dataset, "Rows")),
        columns=max(0, integer(dataset, "Columns")),
        frames=frames,
        series_number=integer(dataset, "SeriesNumber"),
        instance_number=integer(dataset, "InstanceNumber"),
        position_mm=position,
        orientation=orientation,
        manufacturer=text(dataset, "Manufacturer"),
        model_name=text(dataset, "ManufacturerModelName"),
        has_pixels=opened.pixels is not None and opened.pixels.length > 0,
        age_years=age_in_years(dataset),
        synthetic=text(dataset, "SyntheticData") == "YES",
        frame_orientations=() if orientation else _frame_orientations(dataset, frames),
    )


def read_facts(source: Path | BinaryIO, keywords: Iterable[str]) -> dict[str, str | list[str]]:
    """Read the values that rules match on.

    Parameters
    ----------
    source
        A DICOM file, by its path or open at its start.
    keywords
        Keywords of the data dictionary, ``BodyPartExamined`` for one, and paths of them into the
        items of sequences: ``RequestAttributesSequence.ScheduledProcedureStepDescription``.

    Returns
    -------
    dict
        A text for each element that is there, a list of texts where it has several values, or is
        in several items. Of a sequence the number of its items. Absent and unknown elements and
        binary values are left out.

    Raises
    ------
    NotDicom
        If the bytes cannot be read as DICOM.
    StorageError
        If the file is missing or cannot be read.
    """
    wanted = tuple(keywords)
    facts: dict[str, str | list[str]] = {}
    with quiet():
        outermost = (path.partition(".")[0] for path in wanted)
        dataset = _open(source, (*outermost, "PixelRepresentation")).dataset
        for path in wanted:
            *sequences, keyword = path.split(".")
            inner = _inside(dataset, sequences)
            values = [value for one in inner for value in _written(one, keyword)]
            if values:
                facts[path] = values[0] if len(values) == 1 else values
            elif any(keyword in one and value_of(one, keyword) is None for one in inner):
                facts[path] = ""
    return facts


def _inside(dataset: Dataset, sequences: Sequence[str]) -> list[Dataset]:
    """Return the items that a path of sequences leads to; the data set itself for none."""
    found = [dataset]
    for keyword in sequences:
        found = [item for one in found for item in items(one, keyword)]
    return found


def _written(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    if is_us_or_ss(keyword):
        signed = integer(dataset, "PixelRepresentation") == 1
        return tuple(str(value) for value in us_or_ss(dataset, keyword, signed=signed))
    if keyword_vr(keyword) == "SQ":
        number = len(items(dataset, keyword))
        return (f"{number} item{'s' * (number > 1)}",) if number else ()
    return texts(dataset, keyword)


def read_stream_header(stream: BinaryIO) -> InstanceHeader:
    """Read what an instance is from a stream at its start; it has no path.

    Raises
    ------
    NotDicom
        As `read_header` does.
    """
    with quiet():
        return header_of(Path(), _open(stream, HEADER_KEYWORDS))


def _open(source: Path | BinaryIO, keywords: Iterable[str]) -> Opened:
    try:
        if not isinstance(source, Path):
            return read_until_pixels(source, keywords)
        with open_file(source) as stream:
            return read_until_pixels(stream, keywords)
    except FOREIGN_ERRORS as error:
        raise NotDicom(f"the file cannot be read as DICOM ({type(error).__name__})") from error


def _plane(dataset: Dataset) -> tuple[_Position | None, _Orientation | None]:
    position = numbers(dataset, "ImagePositionPatient")
    orientation = numbers(dataset, "ImageOrientationPatient")
    for group in items(dataset, "SharedFunctionalGroupsSequence")[:1]:
        for item in items(group, "PlanePositionSequence")[:1]:
            position = position or numbers(item, "ImagePositionPatient")
        for item in items(group, "PlaneOrientationSequence")[:1]:
            orientation = orientation or numbers(item, "ImageOrientationPatient")
    return (
        cast("_Position", position) if _whole(position, 3) else None,
        cast("_Orientation", orientation) if _whole(orientation, 6) else None,
    )


def _frame_orientations(dataset: Dataset, frames: int) -> tuple[_Orientation | None, ...]:
    """Read the orientation of each frame that is described, () where none has one."""
    found: list[_Orientation | None] = []
    for group in items(dataset, "PerFrameFunctionalGroupsSequence")[:frames]:
        planes = items(group, "PlaneOrientationSequence")[:1]
        values = numbers(planes[0], "ImageOrientationPatient") if planes else ()
        found.append(cast("_Orientation", values) if _whole(values, 6) else None)
    return tuple(found) if any(found) else ()


def _whole(values: tuple[float, ...], count: int) -> bool:
    return len(values) == count and all(math.isfinite(value) for value in values)


def keyword_vr(keyword: str) -> str:
    """Return the value representation of a standard attribute (PS3.6); "" for another word.

    An attribute that may have one of several has them all: ``US or SS``.
    """
    tag = tag_for_keyword(keyword)
    return "" if tag is None else dictionary_VR(tag)


def nearest_keyword(word: str) -> str:
    """Return the keyword that is spelt most like a word, "" if none is."""
    return next(iter(difflib.get_close_matches(word, keyword_dict, 1, 0.8)), "")
