"""The content of a report for people, independent of its format: page, message or bundle."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from pydicom.dataset import Dataset

from pacs_ai.coverage import Coverage
from pacs_ai.dicom.reading import text
from pacs_ai.domain import (
    ClassSpec,
    Decision,
    ImagePrediction,
    ModelIdentity,
    Reservation,
    ResultKind,
    StudyPrediction,
)
from pacs_ai.refusal import Refusal
from pacs_ai.results.common.codes import class_title
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.common.prior import Prior, PriorFinding
from pacs_ai.results.common.result_set import MadeObject
from pacs_ai.results.content.change import change, change_sentence
from pacs_ai.results.content.report_level import (
    NOTABLE_DECISIONS,
    Tracking,
    finding_level,
    tracking_key,
)
from pacs_ai.results.content.selection import reading_order
from pacs_ai.results.content.wording import omission
from pacs_ai.uids import derived_uid

NOTICE = "AI research - not for clinical use"


@dataclass(frozen=True, slots=True)
class Statement:
    """One class for the study as a whole.

    Parameters
    ----------
    spec, probability, decision
        The class, its probability in [0, 1], and what that means.
    before
        What the model said of it in an earlier study; None if nothing is compared.
    tracking
        Identifier and UID of the finding, as in the report, the map and the segmentation.
    strongest
        The image on which a class that is present or undetermined is most probable; else None.
    """

    spec: ClassSpec
    probability: float
    decision: Decision | None
    before: PriorFinding | None = None
    tracking: Tracking | None = None
    strongest: ImagePrediction | None = None


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """The content of a report, independent of its format.

    Parameters
    ----------
    model
        Who computed it.
    source
        Header of the study's reference image: patient, study, order.
    statements
        The classes in reading order, present first; none if the study was not analysable.
    coverage
        How much of the study was analysed; None if it was not analysable.
    reservations
        Why the report needs caution.
    reason
        Why the study was not analysable; "" if it was.
    instances
        Number of instances that were analysed.
    left_out
        Keywords of patient and study attributes of the images that the report cannot take over.
    made_at
        When the job was started, or when the images were made.
    like_images
        Whether ``made_at`` is the time of the images.
    uid
        UID of the report; the same content has the same UID.
    prior, prior_missing
        Those of `ResultContext`.
    earlier_bundle
        UID of the FHIR bundle that this one replaces; "" without one.
    corrects_message
        Whether the HL7 message replaces another one.
    order
        What all reports of one model on one study have in common, in whatever revision.
    node
        UID of the installation that makes the report.
    node_version
        Version of its software.
    name_patient
        Whether a document may state the patient's name where its standard does not ask for it.
    objects
        The DICOM objects that a document refers to.
    """

    model: ModelIdentity
    source: Dataset
    statements: tuple[Statement, ...]
    coverage: Coverage | None
    reservations: tuple[Reservation, ...]
    reason: str
    instances: int
    left_out: tuple[str, ...]
    made_at: datetime
    like_images: bool
    uid: str
    prior: Prior | None = None
    prior_missing: str = ""
    earlier_bundle: str = ""
    corrects_message: bool = False
    order: str = ""
    node: str = ""
    node_version: str = ""
    name_patient: bool = False
    objects: tuple[MadeObject, ...] = ()

    def beside(self, objects: Sequence[MadeObject]) -> Self:
        """Return the summary for a document that refers to objects: its UID depends on them."""
        uids = [one.sop_instance_uid for one in objects]
        uid = derived_uid("document", self.uid, *uids)
        return replace(self, objects=tuple(objects), uid=uid)

    @property
    def compared(self) -> str:
        """The change since an earlier study in one sentence, or why none is stated; "" if nothing.

        Without a full stop.
        """
        if self.prior is None:
            return f"No prior compared: {self.prior_missing}" if self.prior_missing else ""
        classes = [(s.spec, s.probability, s.decision, s.before) for s in self.statements]
        return change_sentence(self.prior.day, f"{self.model.name} {self.model.version}", classes)

    def change_of(self, one: Statement) -> str:
        """Write the change of a class: ``0.31 → 0.82 since 2024-03-01``; "" if none is known."""
        if self.prior is None or one.before is None:
            return ""
        return change(one.before.probability, one.probability, self.prior.day)

    def document_uid(self, kind: ResultKind) -> str:
        """UID of the document of a kind: it is no instance, and has its own."""
        return derived_uid(kind, self.uid)

    @property
    def reserve(self) -> tuple[str, ...]:
        """Why the report needs caution, one sentence each."""
        return tuple(one.text for one in self.reservations)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The report in a few sentences."""
        looked = self.coverage.sentence if self.coverage is not None else ""
        beside = (looked, *self.reserve, omission(self.left_out), NOTICE)
        parts = (self.conclusion, self.compared, *beside)
        return tuple(f"{_sentence(part)}." for part in parts if part)

    @property
    def conclusion(self) -> str:
        """The conclusion in one sentence."""
        if self.reason:
            return f"Not analysable: {self.reason}"
        named = [self._named(decision) for decision in NOTABLE_DECISIONS]
        if self.coverage is not None and self.coverage.incomplete:
            named.insert(1, f"incompletely analysed: {self.coverage.extent}")
        return "; ".join(filter(None, named)) or "Nothing found of what the model looks for"

    def _named(self, decision: Decision) -> str:
        names = ", ".join(class_title(s.spec) for s in self.statements if s.decision is decision)
        return f"{names}: {decision}" if names else ""


def summarise_prediction(
    prediction: StudyPrediction, evidence: Evidence, context: ResultContext
) -> ReportSummary:
    """Summarise a prediction."""
    model, prior = prediction.model, context.prior
    level = finding_level(prediction)
    key = tracking_key(context, model, evidence.study_instance_uid)
    statements = [
        Statement(
            spec,
            prediction.probabilities[index],
            decision := prediction.decision(index),
            None if prior is None else prior.of_class(spec),
            level.tracking(index, key),
            _strongest(prediction, index) if decision in NOTABLE_DECISIONS else None,
        )
        for index, spec in enumerate(model.classes)
    ]
    statements.sort(key=lambda one: reading_order(one.decision, one.probability))
    return ReportSummary(
        model=model,
        source=evidence.reference,
        statements=tuple(statements),
        coverage=prediction.coverage,
        reservations=prediction.reservations,
        reason="",
        instances=len(evidence.headers),
        left_out=evidence.left_out,
        made_at=_moment(evidence, context),
        like_images=context.like_images,
        uid=_uid(model, evidence, context, "analysed"),
        prior=prior,
        prior_missing=context.prior_missing,
        earlier_bundle=context.earlier_bundle,
        corrects_message=context.corrects_message,
        order=_order(model, evidence, context),
        node=context.installation_uid,
        node_version=context.software_version,
        name_patient=context.name_patient,
    )


def summarise_refusal(
    refusal: Refusal, evidence: Evidence, context: ResultContext
) -> ReportSummary:
    """Summarise why a study was not analysable."""
    return ReportSummary(
        model=refusal.model,
        source=evidence.reference,
        statements=(),
        coverage=None,
        reservations=(),
        reason=refusal.reason,
        instances=len(evidence.headers),
        left_out=evidence.left_out,
        made_at=_moment(evidence, context),
        like_images=context.like_images,
        uid=_uid(refusal.model, evidence, context, refusal.code),
        earlier_bundle=context.earlier_bundle,
        corrects_message=context.corrects_message,
        order=_order(refusal.model, evidence, context),
        node=context.installation_uid,
        node_version=context.software_version,
        name_patient=context.name_patient,
    )


def _strongest(prediction: StudyPrediction, index: int) -> ImagePrediction:
    return max(prediction.images, key=lambda image: image.probabilities[index])


def _sentence(part: str) -> str:
    return part[:1].upper() + part[1:]


def _moment(evidence: Evidence, context: ResultContext) -> datetime:
    return context.made_at(text(evidence.reference, "TimezoneOffsetFromUTC"))


def _uid(model: ModelIdentity, evidence: Evidence, context: ResultContext, outcome: str) -> str:
    series = context.series_key(model, "account", evidence.study_instance_uid)
    return derived_uid("account", *series, outcome, *evidence.instance_key)


def _order(model: ModelIdentity, evidence: Evidence, context: ResultContext) -> str:
    """Name the work of a model on a study, whatever its version and the images that are there."""
    parts = (context.installation_uid, context.site, model.name, evidence.study_instance_uid)
    return derived_uid("order", *parts)
