"""The source images of a result: their headers, read once, without pixels."""

from collections.abc import Iterable
from datetime import MAXYEAR, UTC, datetime, timezone
from pathlib import Path
from typing import Self

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from pacs_ai.dicom.conforming import conforming_element
from pacs_ai.dicom.dates_times import moment_of
from pacs_ai.dicom.files import opened
from pacs_ai.dicom.modules import PATIENT_AND_STUDY
from pacs_ai.dicom.pixel_spacing import SPACING_KEYWORDS
from pacs_ai.dicom.reading import present, read_until_pixels, text
from pacs_ai.dicom.text_decoding import decode_text
from pacs_ai.domain import InstanceHeader, StudyPrediction
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.refusal import Refusal
from pacs_ai.results.common.context import zone_of
from pacs_ai.results.common.patient_study import copy_identity

_log = get_logger()

_FACTS = (
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "SyntheticData",
    "SeriesInstanceUID",
    "Modality",
    "CodingSchemeIdentificationSequence",
    "TimezoneOffsetFromUTC",
    "BodyPartExamined",
    "Laterality",
    "ImageLaterality",
    "PatientOrientation",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceThickness",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
    "RequestAttributesSequence",
    *SPACING_KEYWORDS,
)

_WANTED = (*PATIENT_AND_STUDY, *_FACTS)

_MOMENTS = ("InstanceCreation", "Content", "Acquisition", "Series", "Study")
_PARTS = ("Date", "Time")
_EPOCH = datetime.fromtimestamp(0, UTC)
_SOURCE = "the source of a result"
_AS_IT_IS = frozenset(
    {
        *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID"),
        *("StudyInstanceUID", "SeriesInstanceUID"),  # an instance is referred to by what it says
        *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    }
)


def read_source(path: Path) -> Dataset:
    """Read what results take over from an instance: identity, geometry, request, compression.

    Raises
    ------
    NotDicom
        If the bytes cannot be read as DICOM.
    StorageError
        If the file is missing or cannot be read.

    Notes
    -----
    Elements that cannot be decoded and illegal values are left out. A text may be longer than its
    VR allows: only DICOM objects have that limit, and messages do not.
    """
    return _read(path)[0]


def study_moment(source: Dataset) -> tuple[str, str]:
    """Return Study Date and Study Time as a source states them, "" for what it does not."""
    return text(source, "StudyDate"), text(source, "StudyTime")


def _read(path: Path) -> tuple[Dataset, list[str]]:
    """Read an instance, and list the keywords of what is left out."""
    with opened(path, _SOURCE) as stream:
        read = read_until_pixels(stream, _WANTED).dataset
        left_out = decode_text(read)
        return _conforming(read, left_out), left_out


def _conforming(read: Dataset, left_out: list[str]) -> Dataset:
    kept = Dataset()
    for keyword in present(read, _WANTED):
        if keyword in _AS_IT_IS:
            element: DataElement | None = read[keyword]
        else:
            element = conforming_element(read, keyword, left_out, any_length=True)
        if element is not None:
            kept[element.tag] = element
    return kept


def moment_of_source(path: Path) -> datetime:
    """Return when an instance was created, as far as it states it.

    Parameters
    ----------
    path
        Of the file.

    Returns
    -------
    datetime
        In the zone that the instance names, or else written as UTC, so that no setting of the
        machine counts; the first second of 1970 if it has no date, or one before.

    Raises
    ------
    NotDicom
        If the bytes cannot be read as DICOM.
    StorageError
        If the file is missing or cannot be read.
    """
    wanted = ("TimezoneOffsetFromUTC", *(f"{kind}{what}" for kind in _MOMENTS for what in _PARTS))
    with opened(path, _SOURCE) as stream:
        read = read_until_pixels(stream, wanted).dataset
        stated = [[text(read, f"{kind}{what}") for what in _PARTS] for kind in _MOMENTS]
        offset = conforming_element(read, wanted[0], []) if wanted[0] in read else None
    zone = UTC if offset is None else zone_of(str(offset.value))
    moments = (_placed(moment_of(day, time), zone) for day, time in stated)
    return next((one for one in moments if one is not None), _EPOCH)


def _placed(moment: datetime | None, zone: timezone) -> datetime | None:
    """Put a moment into its time zone; None for one that is no time of a digital image."""
    if moment is None or not _EPOCH.year <= moment.year < MAXYEAR:
        return None
    return moment.replace(tzinfo=zone)


class Evidence:
    """Every analysed instance of a study.

    Parameters
    ----------
    headers
        Of the analysed images in the order of the prediction; several may be frames of one
        instance.
    unseen
        What was not analysed, as in `Coverage.key`.

    Notes
    -----
    All results of a study take patient and study from the first instance that names the right
    patient, so that they agree with each other even where the instances do not. They are synthetic
    data if one of the instances is. ``left_out`` tells the keywords of what they do not take: it
    cannot be decoded, or a result must not have it.
    """

    def __init__(self, headers: Iterable[InstanceHeader], unseen: tuple[str, ...] = ()) -> None:
        self._read: dict[str, Dataset] = {}
        self.headers: tuple[InstanceHeader, ...] = tuple(
            {header.sop_instance_uid: header for header in headers}.values()
        )
        self.unseen = unseen
        right = [one for one in self.headers if one.patient_path is None]
        first = (right or self.headers)[0]
        self.reference, undecoded = _read(first.patient_path or first.path)
        if right:
            self._read[first.sop_instance_uid] = self.reference
        if any(header.synthetic for header in self.headers):
            self.reference.SyntheticData = "YES"
        illegal = copy_identity(self.reference, Dataset())
        self.left_out: tuple[str, ...] = tuple(dict.fromkeys((*undecoded, *illegal)))

    @classmethod
    def of(cls, prediction: StudyPrediction) -> Self:
        """Return the evidence of what a model says."""
        return cls((image.header for image in prediction.images), prediction.coverage.key)

    @property
    def instance_key(self) -> tuple[str, ...]:
        """Key of a result about the whole study: its images, and those that were not analysed."""
        return (*sorted(header.sop_instance_uid for header in self.headers), *self.unseen)

    @property
    def study_instance_uid(self) -> str:
        """Study Instance UID."""
        return self.headers[0].study_instance_uid

    def source(self, header: InstanceHeader) -> Dataset:
        """Header elements of one instance."""
        uid = header.sop_instance_uid
        if uid not in self._read:
            self._read[uid] = read_source(header.path)
        return self._read[uid]


def evidence_of(about: StudyPrediction | Refusal) -> Evidence:
    """Read the headers of the analysed instances.

    The log names the attributes that results do not take over from them, without values.

    Raises
    ------
    NotDicom
        If a source file cannot be read any more.
    """
    evidence = Evidence(about.headers) if isinstance(about, Refusal) else Evidence.of(about)
    if evidence.left_out:
        study = study_ref(evidence.study_instance_uid)
        _log.warning("left out of the results", study=study, attributes=evidence.left_out)
    return evidence
