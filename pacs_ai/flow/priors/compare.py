"""A job is compared with the result of an earlier study, when its own results are made."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from pacs_ai.config import Rule
from pacs_ai.config.rules import Priors
from pacs_ai.errors import NotDicom
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.priors.choice import Choice, Sought, choose
from pacs_ai.flow.priors.examined import examined_of
from pacs_ai.flow.priors.patient import patient_of
from pacs_ai.flow.store_results import result_context_of
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.evidence import Evidence, study_moment
from pacs_ai.results.common.predecessor import Predecessor
from pacs_ai.results.common.prior import Prior, PriorFinding
from pacs_ai.store import prior_searches, priors
from pacs_ai.store.prior_searches import SearchState
from pacs_ai.store.priors import Candidate, Examined
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.session import Session, Transaction

NO_DATE = Choice(None, "nothing to compare with: the images state no date of the study")
NO_PATIENT = Choice(None, "nothing to compare with: the images name no PatientID")


class Comparing:
    """Chooses what a job is compared with, and keeps it with the outcome of the job.

    Parameters
    ----------
    job
        Which runs: its row says which version of the model.
    rules
        Those of the job.
    """

    def __init__(self, context: FlowContext, job: Job, rules: Sequence[Rule]) -> None:
        self._context = context
        self._job = job
        self._asked = merged_priors(rules)
        self._examined: Examined | None = None
        self._choice: Choice | None = None
        self._prior: Prior | None = None
        self._missing = ""
        self._made_by: ResultContext | None = None

    def context_of(self, evidence: Evidence) -> ResultContext:
        """Return what results about these images state besides the prediction.

        It is decided by the images of the first call: the second is for what could not be made.
        """
        if self._made_by is None:
            self._made_by = self._decide(evidence)
        return self._made_by

    def _decide(self, evidence: Evidence) -> ResultContext:
        self._examined = examined_of(
            self._context, evidence.headers, study_moment(evidence.reference)
        )
        if self._asked is not None:
            self._choose(self._asked)
        made_by = result_context_of(self._context, self._job)
        return replace(made_by, prior=self._prior, prior_missing=self._missing)

    def _choose(self, asked: Priors) -> None:
        context, job = self._context, self._job
        with context.database.read() as session:
            study = session.get_one(Study, job.study_id)
            try:
                patient = patient_of(context, session, study)
            except NotDicom:
                patient = None
            self._missing = _missing(session, job)
        if self._examined is None:
            self._choice = NO_DATE
        elif patient is None or not patient.stated().get("PatientID"):
            self._choice = NO_PATIENT
        else:
            sought = Sought(study, job.model_name, self._examined, patient, asked.months)
            self._choice = choose(context, job, sought)
        if self._choice.candidate is not None:
            self._missing = ""
            with context.database.read() as session:
                self._prior = prior_of(session, self._choice.candidate)

    def keep(self, transaction: Transaction) -> None:
        """Keep what was examined, and what it was compared with."""
        if self._examined is not None:
            priors.keep_examination(transaction, self._job.id, self._examined)
        if self._choice is not None:
            with_whom = self._choice.candidate
            priors.keep_comparison(
                transaction,
                self._job,
                "" if with_whom is None else with_whom.job.id,
                {} if self._prior is None else asdict(self._prior),
                self._missing,
                self._choice.note,
            )


def merged_priors(rules: Sequence[Rule]) -> Priors | None:
    """Return what the rules of a job ask for together, None if nothing: the most of each."""
    asked = [rule.priors for rule in rules if rule.priors is not None]
    if not asked:
        return None
    fetching = next((one for one in asked if one.analyse), asked[0])
    return fetching.model_copy(update={"months": max(one.months for one in asked)})


def _missing(session: Session, job: Job) -> str:
    """Say that an earlier study was waited for in vain; "" if nothing was."""
    search = prior_searches.of_job(session, job.id)
    if search is None or search.state != SearchState.OVER or not search.late:
        return ""
    return "an earlier study was to be fetched and analysed, and it was not ready in time"


def prior_of(session: Session, candidate: Candidate) -> Prior:
    """Return what reports say of an earlier study."""
    job, row = candidate.job, priors.report_of(session, candidate.job)
    report = None
    if row is not None:
        report = Predecessor(
            candidate.study.study_instance_uid,
            row.series_instance_uid,
            row.sop_class_uid,
            row.sop_instance_uid,
        )
    findings = tuple(
        PriorFinding(one["code"], one["scheme"], float(one["probability"]), one["decision"])
        for one in job.findings
        if "probability" in one
    )
    return Prior(candidate.examined.day, findings, report)
