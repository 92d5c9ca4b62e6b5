"""What a folder of results holds: objects by their kind, the images beside them, and the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import text


class Kind(StrEnum):
    """What an object is for IHE AI Results."""

    REPORT = "measurement report"
    OTHER_REPORT = "other report"
    SEGMENTATION = "segmentation"
    MAP = "parametric map"
    KEY_OBJECTS = "key object selection"
    PICTURE = "picture"
    DOCUMENT = "document"


RESULTS = frozenset({Kind.REPORT, Kind.SEGMENTATION, Kind.MAP, Kind.KEY_OBJECTS})
"""Kinds whose content software can act on."""


@dataclass(frozen=True, slots=True)
class ResultObject:
    """A result. ``path`` names its file, from the folder that was given."""

    path: str
    kind: Kind
    dataset: Dataset

    @property
    def uid(self) -> str:
        """SOP Instance UID."""
        return text(self.dataset, "SOPInstanceUID")

    @property
    def study(self) -> str:
        """Study Instance UID."""
        return text(self.dataset, "StudyInstanceUID")


@dataclass(frozen=True, slots=True)
class SourceImage:
    """An image that lies beside the results; ``dataset`` is its header."""

    path: str
    dataset: Dataset


@dataclass(frozen=True, slots=True)
class ResultSet:
    """The results of one study, and its images as far as they lie beside them, by UID."""

    study_instance_uid: str
    objects: tuple[ResultObject, ...]
    images: Mapping[str, SourceImage]


@dataclass(slots=True)
class Folder:
    """All that was found.

    Parameters
    ----------
    objects, images
        Results, and what they can be results of.
    other
        DICOM objects that IHE AI Results has no rules for: path and name of the SOP class.
    damaged
        DICOM files that cannot be read to their end: path and reason.
    foreign
        Paths of files that are not DICOM.
    """

    objects: list[ResultObject] = field(default_factory=list)
    images: list[SourceImage] = field(default_factory=list)
    other: list[tuple[str, str]] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def sets(self) -> list[ResultSet]:
        """Return the results by study, in the order in which they were found."""
        return [
            ResultSet(
                study,
                tuple(one for one in self.objects if one.study == study),
                {
                    text(image.dataset, "SOPInstanceUID"): image
                    for image in self.images
                    if text(image.dataset, "StudyInstanceUID") == study
                },
            )
            for study in dict.fromkeys(one.study for one in self.objects)
        ]
