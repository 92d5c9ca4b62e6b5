"""What the builders of results get: a study that was analysed, or one that was not analysable."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.grey_rows import Grey
from pacs_ai.domain import ImagePrediction, StudyPrediction
from pacs_ai.refusal import Refusal
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.common.result_set import ResultSet
from pacs_ai.results.content.report_summary import (
    ReportSummary,
    summarise_prediction,
    summarise_refusal,
)

ShownImage = Callable[[ImagePrediction], Grey | npt.NDArray[np.uint8]]
"""Reads an image as displayed: grey, or RGB of 8 bits, shape (rows, columns, 3)."""


@dataclass(frozen=True, slots=True)
class AnalysedStudy:
    """A study with a prediction.

    Parameters
    ----------
    prediction
        What the model says; at least one image.
    evidence
        Headers of the analysed instances.
    context
        Installation, time, settings.
    shown
        Reads the pixels of an image. Called only for images that are drawn.
    results
        What belongs together.
    """

    prediction: StudyPrediction
    evidence: Evidence
    context: ResultContext
    shown: ShownImage
    results: ResultSet = field(default_factory=ResultSet)

    @property
    def summary(self) -> ReportSummary:
        """The content of a report for people."""
        return summarise_prediction(self.prediction, self.evidence, self.context)


@dataclass(frozen=True, slots=True)
class RefusedStudy:
    """A study that was not analysable: the reason, instead of a prediction."""

    refusal: Refusal
    evidence: Evidence
    context: ResultContext
    results: ResultSet = field(default_factory=ResultSet)

    @property
    def summary(self) -> ReportSummary:
        """The content of a report for people."""
        return summarise_refusal(self.refusal, self.evidence, self.context)
