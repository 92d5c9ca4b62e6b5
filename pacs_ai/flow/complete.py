"""A study of which no more is expected is closed, and then routed."""

from dataclasses import dataclass

from pacs_ai.domain import StudyId
from pacs_ai.flow.ask import ask_route
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.priorities import Priority
from pacs_ai.store import brought, completeness, studies
from pacs_ai.store.completeness import Counted
from pacs_ai.store.schema import Study

OPERATOR = "operator"
"""The signal of a revision that a person has closed."""

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a revision is closed.

    Parameters
    ----------
    signal
        What closed it: the name of a `Signal`, or `OPERATOR`.
    text
        For the audit trail.
    counted
        What its source says of its images; None if it was not asked, or did not answer.
    """

    signal: str
    text: str
    counted: Counted | None = None


def close(context: FlowContext, study: Study, reason: Reason, *, actor: str | None = None) -> bool:
    """Close one study revision and ask for its route, in one transaction."""
    revision = StudyId(study.id), study.revision
    with context.write(actor, durable=actor is not None) as transaction:
        closed = studies.close(transaction, *revision, reason=reason.text)
        if closed:
            brought.forget(transaction, revision[0])
            completeness.close(transaction, revision, reason.signal, reason.counted)
            ask_route(context, transaction, revision, Priority(study.priority))
    if closed:
        _log.info(
            "study complete",
            study=study_ref(study.study_instance_uid),
            revision=study.revision,
            reason=reason.text,
        )
    return closed
