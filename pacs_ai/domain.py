"""The vocabulary of the node: states, kinds, and the records that steps hand on."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NewType, Protocol

import numpy as np
import numpy.typing as npt

from pacs_ai.coverage import ALL_IMAGES, INCOMPLETE_ABOVE, NOTHING, Coverage, LeftOut
from pacs_ai.prediction_sets import PredictionSets

StudyId = NewType("StudyId", int)
JobId = NewType("JobId", str)
DeliveryId = NewType("DeliveryId", int)


class StudyState(StrEnum):
    """Where a study revision stands; the arrows are in `pacs_ai.store.state_machines`."""

    RECEIVING = "RECEIVING"
    COMPLETE = "COMPLETE"
    ROUTED = "ROUTED"
    CONFLICT = "CONFLICT"
    PURGED = "PURGED"
    DELETED = "DELETED"


class JobState(StrEnum):
    """Where one model's work on one study revision stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    SUCCEEDED = "SUCCEEDED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class DeliveryState(StrEnum):
    """Where one result on its way to one destination stands."""

    PENDING = "PENDING"
    SENDING = "SENDING"
    WAITING = "WAITING"
    STORED = "STORED"
    COMMITTING = "COMMITTING"
    COMMITTED = "COMMITTED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Role(StrEnum):
    """Who may read over HTTP, who may also do what can be undone, and who may do everything."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Whether this role may do all that another one may."""
        return list(Role).index(self) >= list(Role).index(other)


class ResultKind(StrEnum):
    """What a job can make: DICOM objects, and with hl7 and fhir files for other systems."""

    REPORT = "report"
    CAPTURE = "capture"
    REGION = "region"
    MAP = "map"
    KEY_OBJECT = "key_object"
    SEG = "seg"
    PDF = "pdf"
    HL7 = "hl7"
    FHIR = "fhir"
    STACK = "stack"
    SIDE_BY_SIDE = "side_by_side"
    CONTACT_SHEET = "contact_sheet"
    LABEL_MAP = "label_map"


DOCUMENTS = frozenset({ResultKind.HL7, ResultKind.FHIR})
"""Kinds that are no DICOM objects: files for other systems, never sent to a PACS."""

REFUSALS = frozenset({ResultKind.REPORT, ResultKind.PDF, *DOCUMENTS})
"""Kinds that can say why a study was not analysable; the others show what was found."""


class Decision(StrEnum):
    """What a probability means at a class' operating point."""

    PRESENT = "present"
    ABSENT = "absent"
    UNDETERMINED = "undetermined"


class TaskKind(StrEnum):
    """The steps that an engine wakes a worker for."""

    ROUTE = "route"
    ANALYSE = "analyse"
    DELIVER = "deliver"
    COMMIT = "commit"
    WITHDRAW = "withdraw"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 Section 8): value, coding scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """What selection and routing need to know of one instance; nothing that names a patient.

    Absent attributes are "", zero, or None. ``age_years`` of the patient are kept nowhere.
    ``frame_orientations`` are those of the first frames, where frames do not share ``orientation``.
    ``patient_path`` is the file that says who the patient is, if this one was corrected later.
    ``synthetic`` tells that it says of itself that it was made artificially (PS3.3 C.12.1).
    """

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    modality: str = ""
    body_part: str = ""
    view_position: str = ""
    laterality: str = ""
    photometric: str = ""
    image_type: tuple[str, ...] = ()
    rows: int = 0
    columns: int = 0
    frames: int = 1
    series_number: int = 0
    instance_number: int = 0
    position_mm: tuple[float, float, float] | None = None
    orientation: tuple[float, float, float, float, float, float] | None = None
    manufacturer: str = ""
    model_name: str = ""
    has_pixels: bool = True
    age_years: float | None = None
    frame_orientations: tuple[tuple[float, ...] | None, ...] = ()
    patient_path: Path | None = None
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class ClassSpec:
    """One output of a model.

    ``positive`` is False for a class that says nothing was found ("No finding"): it is reported
    but never explained. ``threshold`` is the operating point on the probability, in [0, 1].
    ``undetermined`` is a band around it, [low, high), in which the model does not decide.
    """

    name: str
    code: Code
    threshold: float
    positive: bool
    undetermined: tuple[float, float] | None = None

    def decide(self, probability: float, *, incomplete: bool = False) -> Decision | None:
        """Say what a probability in [0, 1] means; None for a class that is not decided upon.

        Of a study that was analysed incompletely nothing is absent, nor is it without a finding.
        """
        if not self.positive:
            unknown = incomplete and probability >= self.threshold
            return Decision.UNDETERMINED if unknown else None
        if self.undetermined and self.undetermined[0] <= probability < self.undetermined[1]:
            return Decision.UNDETERMINED
        if probability >= self.threshold:
            return Decision.PRESENT
        return Decision.UNDETERMINED if incomplete else Decision.ABSENT


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Who computed a result: everything about the model that a report states."""

    name: str
    version: str
    manufacturer: str
    sha256: str
    activation: str  # "softmax" or "sigmoid"
    aggregation: str  # how images become a study; see `pacs_ai.model.aggregation`
    preprocess: str  # id of the preprocessing, version included
    input_size: tuple[int, int]  # (height, width)
    classes: tuple[ClassSpec, ...]
    temperature: float = 1.0  # divides the logits: what calibrates the probabilities
    modalities: tuple[str, ...] = ()  # what it is shown
    manifest_sha256: str = ""  # of all that its bundle states: operating points, policies
    incomplete_above: float = INCOMPLETE_ABOVE  # share of images not looked at; see `Coverage`
    runtime: str = ""  # what computes it: library, version, device, precision
    probe_sha256: str = ""  # of what it computes for a probe: other code, other bits
    images: str = ALL_IMAGES  # which of a sequence: see `pacs_ai.dicom.image_choice`
    unexplained: str = ""  # why the model has no heat maps; "" if it has them
    sets: PredictionSets | None = None  # the answers that it cannot rule out, if it knows them

    def decide(
        self, index: int, chances: tuple[float, ...], *, incomplete: bool = False
    ) -> Decision | None:
        """Say what the probabilities of all classes mean for one class."""
        verdict = self.classes[index].decide(chances[index], incomplete=incomplete)
        decided = verdict in (Decision.PRESENT, Decision.ABSENT)
        return Decision.UNDETERMINED if decided and self.doubt(index, chances) else verdict

    def doubt(self, index: int, chances: tuple[float, ...]) -> str:
        """Say why its prediction set leaves a finding undetermined; "" if it does not."""
        told = self.sets if self.classes[index].positive else None
        return "" if told is None else told.doubt(index, chances, self.classes[index].threshold)


class HeatMaps(Protocol):
    """The heat maps of one image, by class: arrays of shape (h, w), float32, in [0, 1]."""

    def __getitem__(self, class_index: int, /) -> npt.NDArray[np.float32]:
        """Return the map of one class; it covers exactly the whole image."""


@dataclass(frozen=True, slots=True)
class ImagePrediction:
    """What the model says of one frame of one instance.

    ``frame`` counts from 1. ``probabilities`` has one value a class, in [0, 1]. ``saliency`` has a
    map for each class; one that is all zero explains nothing. ``outlier`` is the distance from the
    images of training by the limit of the bundle: above 1 it is unlike them; None if not known.
    ``misfits`` say what else the model was not made for, or cannot be shown as its header asks.
    """

    header: InstanceHeader
    frame: int
    probabilities: tuple[float, ...]
    saliency: HeatMaps
    outlier: float | None = None
    misfits: tuple[str, ...] = ()

    @property
    def is_outlier(self) -> bool:
        """Tell whether the image is unlike those the model learned from."""
        return self.outlier is not None and self.outlier > 1


@dataclass(frozen=True, slots=True)
class Reservation:
    """Why a result is to be read with reserve.

    ``code`` is the concept; its meaning is the name that a viewer shows beside ``percent``.
    ``percent`` is a share of images, or a distance relative to a limit, as the meaning says.
    ``text`` is the same as a sentence, ``image`` the index of the image that shows it best.
    """

    code: Code
    percent: float
    text: str
    image: int


@dataclass(frozen=True, slots=True)
class StudyPrediction:
    """What the model says of a study: all analysed images and their aggregate.

    ``decisive`` is the index in ``images`` of the image with the highest score of a positive class.
    ``reservations`` say what about the images the model was not made for, and what it has not seen.
    ``others`` are the images of an analysed series of slices that were not analysed.
    """

    model: ModelIdentity
    images: tuple[ImagePrediction, ...]
    probabilities: tuple[float, ...]
    decisive: int
    reservations: tuple[Reservation, ...] = ()
    left_out: LeftOut = NOTHING
    others: tuple[InstanceHeader, ...] = ()

    @property
    def coverage(self) -> Coverage:
        """How much of the study was looked at."""
        said = any(one.header.frames > 1 for one in self.images), self.model.images
        return Coverage(len(self.images), self.left_out, self.model.incomplete_above, *said)

    def decision(self, index: int) -> Decision | None:
        """Say what the study's probability of a class means; None for one not decided upon."""
        return self.model.decide(index, self.probabilities, incomplete=self.coverage.incomplete)

    def positive_classes(self) -> tuple[int, ...]:
        """Return the indices of the classes that are present at their operating point."""
        classes = range(len(self.model.classes))
        return tuple(index for index in classes if self.decision(index) is Decision.PRESENT)
