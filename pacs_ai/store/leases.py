"""Leases on jobs and deliveries: found and taken back if their holder is gone.

``lease_until`` is compared only with its own earlier value: the holder changes it at each renewal,
and a sweep measures with a monotonic clock how long it stays the same. So a clock that is set forth
or back does not end a lease.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryState, JobId, JobState
from pacs_ai.store.schema import Delivery, Job
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import NO_LEASE, move

MAX_WORKER_CRASHES = 2
"""Number of workers that may die while they run a job, before it is FAILED."""

MAX_NODE_CRASHES = 5
"""The same for whole nodes, whose deaths more often have another cause."""


MAX_TIME_LIMITS = 2
"""Number of times in a row that a job may exceed the time limit, before it is FAILED."""

CRASHED = "CRASHED"
"""Error code of a job that workers or nodes died of."""

TIME_LIMIT = "JOB_TIMEOUT"
"""Error code of a job that exceeded ``[engine] job_timeout_seconds``."""


class Blame(StrEnum):
    """Why a holder is gone: it decides which count of the job grows."""

    WORKER = "its worker is gone"
    NODE = "its node is gone"
    NOBODY = "its node was stopped"
    TIME = "it took longer than [engine] job_timeout_seconds"
    """The daemon ended the worker, which is no crash."""


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease as one sweep saw it."""

    entity: type[Job] | type[Delivery]
    id: str | int
    owner: str
    until: datetime | None
    attempt: int

    @property
    def is_job(self) -> bool:
        """Tell whether it is a worker's lease on a job."""
        return self.entity is Job


def held(session: Session) -> list[HeldLease]:
    """Return the leases of all jobs that run and of all deliveries that are sent."""
    found = [
        HeldLease(Job, row.id, row.lease_owner or "", row.lease_until, row.attempt)
        for row in session.scalars(sa.select(Job).where(Job.state == JobState.RUNNING))
    ]
    found += [
        HeldLease(Delivery, row.id, row.lease_owner or "", row.lease_until, row.attempt)
        for row in session.scalars(
            sa.select(Delivery).where(Delivery.state == DeliveryState.SENDING)
        )
    ]
    return found


def lost_with(session: Session, job_id: JobId) -> bool:
    """Tell whether a worker that ran a job has died, or was ended because it took too long."""
    job = session.get(Job, job_id)
    return job is not None and (job.worker_crashes > 0 or job.postponed_for == TIME_LIMIT)


def take_back(transaction: Transaction, lease: HeldLease, *, blame: Blame) -> str:
    """Free a delivery or a job whose holder is gone.

    Returns
    -------
    str
        The state the row has now; empty if it moved meanwhile.
    """
    if lease.entity is Delivery:
        arrow = (DeliveryState.SENDING, DeliveryState.PENDING)
        fence = {"attempt": lease.attempt}
        moved = move(
            transaction, Delivery, lease.id, arrow, fence=fence, note=str(blame), **NO_LEASE
        )
        return DeliveryState.PENDING if moved else ""
    return _requeue(transaction, lease, blame=blame)


def _requeue(transaction: Transaction, lease: HeldLease, *, blame: Blame) -> str:
    """Move RUNNING → QUEUED, or FAILED if its workers keep dying, or if it takes too long."""
    counts = _counts(transaction.get_one(Job, lease.id), blame)
    code, text = _fault(counts, blame)
    target = JobState.FAILED if code else JobState.QUEUED
    moved = move(
        transaction,
        Job,
        lease.id,
        (JobState.RUNNING, target),
        fence={"attempt": lease.attempt},
        note=text or str(blame),
        error_code=code,
        error_text=text,
        finished_at=transaction.now if code else None,
        **counts,
        **NO_LEASE,
    )
    return target if moved else ""


def _counts(job: Job, blame: Blame) -> dict[str, Any]:
    """Return the columns of a job that count how its attempts ended, with the last one."""
    counts: dict[str, Any] = {
        "worker_crashes": job.worker_crashes + (blame is Blame.WORKER),
        "node_crashes": job.node_crashes + (blame is Blame.NODE),
    }
    if blame is Blame.TIME:
        earlier = job.postponed if job.postponed_for == TIME_LIMIT else 0
        counts |= {"postponed": earlier + 1, "postponed_for": TIME_LIMIT}
    return counts


def _fault(counts: Mapping[str, Any], blame: Blame) -> tuple[str, str]:
    """Return code and text of a job that is not tried again; empty where it is."""
    if blame is Blame.TIME:
        often = counts["postponed"]
        over = often >= MAX_TIME_LIMITS
        return (TIME_LIMIT, f"{blame}, {often} times in a row: set aside") if over else ("", "")
    poison = (
        counts["worker_crashes"] >= MAX_WORKER_CRASHES or counts["node_crashes"] >= MAX_NODE_CRASHES
    )
    return (CRASHED, "workers died of it: set aside") if poison else ("", "")
