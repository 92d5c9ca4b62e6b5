"""Which result of an earlier study a new one is compared with, and why no other.

The same patient, the same kind of examination, an earlier day, and the same version of the model.
"""

import calendar
from collections import Counter
from dataclasses import dataclass
from datetime import date

from pacs_ai.dicom.patient import PatientIdentity
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.priors.patient import differing_fields
from pacs_ai.store import priors
from pacs_ai.store.priors import Candidate, Examined
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.session import Session

_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Sought:
    """What an earlier study has to be like.

    Parameters
    ----------
    study
        The study that it is earlier than.
    model_name
        The model that is to have analysed it.
    examined, patient
        When and of what the images of `study` are, and of whom.
    months
        How old it may be.
    """

    study: Study
    model_name: str
    examined: Examined
    patient: PatientIdentity
    months: int

    @property
    def since(self) -> str:
        """The earliest day."""
        return months_before(self.examined.day, self.months)


@dataclass(frozen=True, slots=True)
class Choice:
    """The result to compare with, None if there is none; and what the audit trail says of it."""

    candidate: Candidate | None
    note: str


def choose(context: FlowContext, job: Job, sought: Sought) -> Choice:
    """Choose the result that a job is compared with; its row says which version of the model runs.

    Returns
    -------
    Choice
        The latest of the results that are alike.
    """
    model = f"{job.model_name} {job.model_version}"
    with context.database.read() as session:
        alike, others = alike_studies(context, session, sought)
    for one in alike:
        if same_version(one.job, job):
            said = f"compared with the result of study {one.study.id} by {model}"
            return Choice(one, said + _beside(others))
        others[f"by version {one.job.model_version}"] += 1
    why = f"no result of an earlier study by {model} is known here"
    return Choice(None, f"nothing to compare with: {why}{_beside(others)}")


def same_version(earlier: Job, job: Job) -> bool:
    """Tell whether two jobs were done by the same version: network and operating points, too."""
    return (
        earlier.model_name == job.model_name
        and earlier.model_version == job.model_version
        and earlier.bundle_sha256 == job.bundle_sha256
        and earlier.manifest_sha256 == job.manifest_sha256
    )


def alike_studies(
    context: FlowContext, session: Session, sought: Sought
) -> tuple[list[Candidate], Counter[str]]:
    """Return what a model has said of earlier studies of the same kind and patient.

    Returns
    -------
    list of Candidate
        The latest first; of each study what holds now, by every version.
    Counter
        How many other studies there are, and why they do not count.
    """
    days = sought.since, sought.examined.day
    found: list[Candidate] = []
    others: Counter[str] = Counter()
    seen: dict[int, int] = {}
    for one in priors.earlier_results(session, sought.study, sought.model_name, *days):
        first = one.study.id not in seen
        if one.job.revision < seen.setdefault(one.study.id, one.job.revision):
            continue
        fields = differing_fields(context, session, sought.patient, one.study)
        reason = f"another {', '.join(fields)}" if fields else one.examined.differs(sought.examined)
        if reason and first:
            others[f"of {reason}"] += 1
        elif not reason:
            found.append(one)
    return found, others


def _beside(others: Counter[str]) -> str:
    """Write which studies do not count."""
    if not others:
        return ""
    return f"; others: {', '.join(f'{count} {why}' for why, count in sorted(others.items()))}"


def months_before(day: str, months: int) -> str:
    """Return the day some months before another one, or the last day of that month."""
    end = date.fromisoformat(day)
    number = end.year * _MONTHS + end.month - 1 - months
    year, month = max(1, number // _MONTHS), number % _MONTHS + 1
    last = calendar.monthrange(year, month)[1]
    return date(year, month, min(end.day, last)).isoformat()
