"""Find the rows that an operator names: one study, one job, or those that a filter selects."""

from collections.abc import Mapping
from datetime import datetime

from pacs_ai.errors import StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import operator, overview
from pacs_ai.store.overview import StudyLine
from pacs_ai.store.schema import Job
from pacs_ai.store.selection import Filter


def find_study(context: FlowContext, reference: str) -> StudyLine:
    """Find the study with this row id, Study Instance UID, or reference of the log.

    Raises
    ------
    StateError
        If there is none.
    """
    with context.database.read() as session:
        line = overview.study(session, reference)
    if line is None:
        raise missing(f"no study {reference}")
    return line


def find_job(context: FlowContext, prefix: str) -> Job:
    """Find the one job whose id begins with a text.

    Raises
    ------
    StateError
        If there is none, if there are several, or if the text is empty.
    """
    if not prefix.strip():
        raise StateError("no job is named: its id is empty")
    with context.database.read() as session:
        found = operator.find_job(session, prefix)
    if not found:
        raise missing(f"no job begins with {prefix!r}")
    if len(found) > 1:
        raise StateError(f"several jobs begin with {prefix!r}")
    return found[0]


def subject(context: FlowContext, named: Mapping[str, object]) -> int | None:
    """Return the row id of the study that an action is about; None if it is about none, or many.

    Parameters
    ----------
    named
        What the action was given: a ``study``, or a ``job``.
    """
    study, job = named.get("study"), named.get("job")
    try:
        if study is not None:
            return find_study(context, str(study)).study.id
        return None if job is None else find_job(context, str(job)).study_id
    except StateError:
        return None


def missing(message: str) -> StateError:
    """Make the error that says that there is no such row."""
    error = StateError(message)
    error.missing = True
    return error


def selection(
    context: FlowContext,
    *,
    state: str | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
    study: str | None = None,
    sender: str | None = None,
    peer: str | None = None,
    model: str | None = None,
    limit: int = 50,
) -> Filter:
    """Make the filter of a listing, or of the rows that are tried again.

    Parameters
    ----------
    study
        Row id or Study Instance UID. The other parameters are those of `Filter`.

    Raises
    ------
    StateError
        If there is no such study.
    """
    return Filter(
        state=state,
        since=since,
        before=before,
        study=None if study is None else find_study(context, study).study.id,
        sender=sender,
        peer=peer,
        model=model,
        limit=limit,
    )
