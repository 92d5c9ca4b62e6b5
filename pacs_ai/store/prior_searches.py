"""Searches for earlier studies: what they have found, and when a job need not wait any longer.

ASKED → FETCHING → OVER, or at once OVER. Whether all that was found is here follows from other
rows: those of the study, its jobs, and what is fetched from archives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import JobState, StudyState
from pacs_ai.store.due import is_due
from pacs_ai.store.prior_tables import PriorSearch, PriorStudy
from pacs_ai.store.pull_table import Pull
from pacs_ai.store.pulls import PullState
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.session import Transaction

PRIORS = "PRIORS"
"""Error code of a job that waits for earlier studies."""

_ENDED = (JobState.SUCCEEDED, JobState.REJECTED, JobState.FAILED, JobState.CANCELLED)
_CAME = (PullState.RUNNING, PullState.DONE)


class SearchState(StrEnum):
    """Where a search stands."""

    ASKED = "ASKED"
    FETCHING = "FETCHING"
    OVER = "OVER"


_OPEN = (SearchState.ASKED, SearchState.FETCHING)


@dataclass(frozen=True, slots=True)
class Found:
    """An earlier study to analyse: see `PriorStudy`."""

    study_instance_uid: str
    peer: str = ""


def ask(transaction: Transaction, job_id: str, until: datetime) -> None:
    """Ask for the earlier studies of a new job; it waits until a time at most."""
    transaction.add(
        PriorSearch(
            job_id=job_id, state=SearchState.ASKED, until=until, due_at=transaction.now, note=""
        )
    )
    transaction.flush()


def due(session: Session, now: datetime) -> Sequence[str]:
    """Return the jobs whose earlier studies are to be looked for now."""
    query = (
        sa.select(PriorSearch.job_id)
        .where(PriorSearch.state == SearchState.ASKED, PriorSearch.due_at <= now)
        .order_by(PriorSearch.due_at)
    )
    return session.scalars(query).all()


def postpone(transaction: Transaction, job_id: str, due_at: datetime, note: str) -> None:
    """Look for them again later."""
    _move(transaction, job_id, SearchState.ASKED, due_at=due_at, note=note)


def found(
    transaction: Transaction, job: Job, studies: Sequence[Found], rules: Sequence[str], note: str
) -> bool:
    """Move ASKED → FETCHING, or → OVER without anything; False if others were faster.

    Parameters
    ----------
    rules
        The rules that get the results of these studies.
    """
    state = SearchState.FETCHING if studies else SearchState.OVER
    if not _move(transaction, job.id, SearchState.ASKED, state=state, note=note):
        return False
    transaction.add_all(
        PriorStudy(
            job_id=job.id,
            study_instance_uid=one.study_instance_uid,
            peer=one.peer,
            model_name=job.model_name,
            rules=list(rules),
            routed=not one.peer,
        )
        for one in studies
    )
    transaction.flush()
    return True


def _move(transaction: Transaction, job_id: str, source: SearchState, **values: object) -> bool:
    changed = transaction.execute(
        sa.update(PriorSearch)
        .where(PriorSearch.job_id == job_id, PriorSearch.state == source)
        .values(**values)
        .returning(PriorSearch.job_id)
    )
    return changed.first() is not None


def of_job(session: Session, job_id: str) -> PriorSearch | None:
    """Return the search of a job; None if it has none."""
    return session.get(PriorSearch, job_id)


def end_those_that_are_over(transaction: Transaction, longest: timedelta) -> list[str]:
    """Move ASKED/FETCHING → OVER where all is here, or the time is over; returns the jobs.

    Parameters
    ----------
    longest
        The longest time that any rule lets a job wait: a time that is further away was written
        before the clock was set back.
    """
    late = is_due(PriorSearch.until, transaction.now, longest)
    query = sa.select(PriorSearch, late).where(PriorSearch.state.in_(_OPEN))
    ended = []
    for row, over in transaction.execute(query).all():
        waits = row.state == SearchState.ASKED or _missing(transaction, row.job_id)
        if waits and not over:
            continue
        row.late = waits or _not_fetched(transaction, row.job_id)
        row.state = SearchState.OVER
        ended.append(row.job_id)
    transaction.flush()
    return ended


def _missing(session: Session, job_id: str) -> bool:
    """Tell whether anything that a search has found is still to come."""
    query = sa.select(PriorStudy).where(PriorStudy.job_id == job_id)
    return any(not _is_here(session, one) for one in session.scalars(query).all())


def _not_fetched(session: Session, job_id: str) -> bool:
    """Tell whether the archive has not sent what a search has found."""
    query = sa.select(PriorStudy.id).where(
        PriorStudy.job_id == job_id, PriorStudy.routed.is_(False)
    )
    return session.scalar(query.limit(1)) is not None


def waiting_for_nothing(session: Session) -> Sequence[str]:
    """Return the jobs that wait for earlier studies, and whose search is over."""
    search = sa.exists().where(PriorSearch.job_id == Job.id, PriorSearch.state != SearchState.OVER)
    query = sa.select(Job.id).where(
        Job.state == JobState.WAITING, Job.error_code == PRIORS, ~search
    )
    return session.scalars(query).all()


def fetched_and_open(session: Session) -> Sequence[Study]:
    """Return the studies that an archive has sent for a search, and that are not closed yet."""
    query = (
        sa.select(Study)
        .join(PriorStudy, PriorStudy.study_instance_uid == Study.study_instance_uid)
        .join(
            Pull,
            sa.and_(
                Pull.peer == PriorStudy.peer,
                Pull.study_instance_uid == PriorStudy.study_instance_uid,
            ),
        )
        .where(
            Study.state == StudyState.RECEIVING,
            PriorStudy.routed.is_(False),
            Pull.state == PullState.DONE,
        )
        .distinct()
    )
    return session.scalars(query).all()


def _is_here(session: Session, one: PriorStudy) -> bool:
    """Tell whether an earlier study was analysed, or will never be."""
    uid = one.study_instance_uid
    if not one.routed:
        pull = sa.select(Pull.state).where(Pull.peer == one.peer, Pull.study_instance_uid == uid)
        return session.scalar(pull) in (None, PullState.FAILED, PullState.CANCELLED)
    last = (
        sa.select(Job.state)
        .join(Study, Study.id == Job.study_id)
        .where(Study.study_instance_uid == uid, Job.model_name == one.model_name)
        .order_by(Job.revision.desc(), Job.created_at.desc())
        .limit(1)
    )
    return session.scalar(last) in (None, *_ENDED)


def awaited(session: Session, study: Study) -> Sequence[PriorStudy]:
    """Return who waits for a study that was fetched as an earlier one and is to be routed now.

    A study that its modality has sent meanwhile is none: the archive has sent nothing then.
    """
    partly = sa.and_(Pull.state == PullState.FAILED, Pull.instances > 0)
    came = sa.exists().where(
        Pull.peer == PriorStudy.peer,
        Pull.study_instance_uid == PriorStudy.study_instance_uid,
        sa.or_(Pull.state.in_(_CAME), partly),
    )
    query = sa.select(PriorStudy).where(
        PriorStudy.study_instance_uid == study.study_instance_uid,
        PriorStudy.routed.is_(False),
        came,
    )
    return session.scalars(query.order_by(PriorStudy.id)).all()


def routed(transaction: Transaction, study: Study) -> None:
    """Note that a study that was fetched has got its jobs: what comes later goes the usual way."""
    transaction.execute(
        sa.update(PriorStudy)
        .where(PriorStudy.study_instance_uid == study.study_instance_uid)
        .values(routed=True)
    )
