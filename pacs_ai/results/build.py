"""From a prediction to the DICOM objects that are delivered."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from pacs_ai.dicom.foreign import FOREIGN_ERRORS, quiet
from pacs_ai.domain import ResultKind, StudyPrediction
from pacs_ai.errors import InvalidResult
from pacs_ai.results.capture import GreyImage, build_capture
from pacs_ai.results.context import ResultContext
from pacs_ai.results.selection import captures
from pacs_ai.results.source import Evidence
from pacs_ai.results.sr import build_report


@dataclass(frozen=True, slots=True)
class BuiltResult:
    """A finished object. ``number`` counts the results of its kind in the study, from 1."""

    kind: ResultKind
    number: int
    dataset: Dataset

    @property
    def sop_class_uid(self) -> str:
        """SOP Class UID."""
        return str(self.dataset.SOPClassUID)

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID."""
        return str(self.dataset.SOPInstanceUID)

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID."""
        return str(self.dataset.SeriesInstanceUID)

    def encode(self) -> bytes:
        """Bytes of the Part 10 file; the same for the same prediction, source and context.

        Raises
        ------
        InvalidResult
            If the object cannot be encoded.
        """
        buffer = BytesIO()
        try:
            with quiet():
                dcmwrite(buffer, self.dataset, enforce_file_format=True)
        except FOREIGN_ERRORS as error:
            raise InvalidResult(
                f"the {self.kind} cannot be encoded ({type(error).__name__})"
            ) from error
        return buffer.getvalue()

    def write(self, path: Path) -> None:
        """Write the Part 10 file."""
        path.write_bytes(self.encode())


def build_results(
    prediction: StudyPrediction,
    kinds: Sequence[ResultKind],
    context: ResultContext,
    grey: GreyImage,
) -> list[BuiltResult]:
    """Make the results of a study.

    Parameters
    ----------
    prediction
        What the model says; at least one image.
    kinds
        What is wanted.
    context
        Installation, time, settings.
    grey
        Gives the image as displayed, shape (rows, columns), in [0, 1]. Asked only for images
        that are drawn.

    Returns
    -------
    list of BuiltResult
        In the order of ``kinds``, the most important of each kind first.

    Raises
    ------
    InvalidResult
        If the source or the prediction cannot be put into an object.
    NotDicom
        If a source file cannot be read any more.
    """
    evidence = Evidence(prediction.images)
    try:
        with quiet():
            return [
                BuiltResult(kind, number, dataset)
                for kind in kinds
                for number, dataset in enumerate(
                    _datasets(kind, prediction, evidence, context, grey), start=1
                )
            ]
    except FOREIGN_ERRORS as error:
        raise InvalidResult(f"the results cannot be built ({type(error).__name__})") from error


def _datasets(
    kind: ResultKind,
    prediction: StudyPrediction,
    evidence: Evidence,
    context: ResultContext,
    grey: GreyImage,
) -> list[Dataset]:
    if kind is ResultKind.REPORT:
        return [build_report(prediction, evidence, context)]
    return [
        build_capture(prediction, shown, evidence, context, grey) for shown in captures(prediction)
    ]
