"""Predictions that are kept to be compared: of live jobs, in shadow, and of replays.

None of them is a result: nothing is made of it, and nothing is sent.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import JSON, Index, String, Text, UniqueConstraint
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from pacs_ai.domain import DeliveryState, JobState, StudyId, StudyState
from pacs_ai.store.columns import HEX, WORD, Base
from pacs_ai.store.schema import Delivery, Job, Study
from pacs_ai.store.selection import remove_some
from pacs_ai.store.session import Transaction

MOST_ATTEMPTS = 5
"""How often an analysis in shadow is begun: it may end its process."""

_AT_ONCE = 100
"""How many analyses in shadow are asked for, of those that wait: the oldest ones."""

Content = dict[str, Any]
"""What a model says of a study, see `pacs_ai.flow.shadow.content_of`."""


class Origin(StrEnum):
    """Who has made a prediction."""

    LIVE = "live"
    SHADOW = "shadow"
    REPLAY = "replay"


class KeptState(StrEnum):
    """Whether a prediction was made."""

    PENDING = "PENDING"
    DONE = "DONE"
    FAILED = "FAILED"


class KeptPrediction(Base):
    """What one version of a model says of one revision of a study.

    ``job_id`` is the live job beside which it was made. It refers to no other row: it stays when
    the files of the study are removed. ``attempts`` counts how often the analysis was begun.
    """

    __tablename__ = "kept_prediction"
    __table_args__ = (
        UniqueConstraint("study_id", "revision", "manifest_sha256"),
        Index(None, "state", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int]
    revision: Mapped[int]
    job_id: Mapped[str] = mapped_column(String(36))
    model_name: Mapped[str] = mapped_column(String(64))
    model_version: Mapped[str] = mapped_column(String(64))
    manifest_sha256: Mapped[str] = mapped_column(HEX)
    origin: Mapped[str] = mapped_column(WORD)
    state: Mapped[str] = mapped_column(WORD)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(index=True)
    content: Mapped[Content] = mapped_column(JSON)
    error_code: Mapped[str] = mapped_column(String(32), default="")
    error_text: Mapped[str] = mapped_column(Text, default="")


@dataclass(frozen=True, slots=True)
class Maker:
    """A version of a model, by the fields of `KeptPrediction`."""

    model_name: str
    model_version: str
    manifest_sha256: str


_ADD = {
    name: insert(KeptPrediction).on_conflict_do_nothing()
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}


def plan(transaction: Transaction, job: Job, content: Content, shadows: Sequence[Maker]) -> None:
    """Keep what a job says, and let other versions analyse the study afterwards.

    Parameters
    ----------
    content
        What the model of the job says.
    shadows
        The other versions.
    """
    live = Maker(job.model_name, job.model_version, job.manifest_sha256)
    _add(transaction, job, live, origin=Origin.LIVE, state=KeptState.DONE, content=content)
    for maker in shadows:
        _add(transaction, job, maker, origin=Origin.SHADOW, state=KeptState.PENDING, content={})


def keep_replay(
    transaction: Transaction,
    job: Job,
    maker: Maker,
    content: Content,
    error: tuple[str, str] = ("", ""),
) -> None:
    """Keep what a version says of the revision of a job, or code and text of why it says nothing.

    A prediction that is there already stays.
    """
    code, text = error
    said: dict[str, object] = {"content": content, "error_code": code, "error_text": text}
    state = KeptState.FAILED if code else KeptState.DONE
    _add(transaction, job, maker, origin=Origin.REPLAY, state=state, **said)


def _add(transaction: Transaction, job: Job, maker: Maker, **values: object) -> None:
    row = {
        "study_id": job.study_id,
        "revision": job.revision,
        "job_id": job.id,
        **asdict(maker),
        "attempts": 0,
        "created_at": transaction.now,
        "error_code": "",
        "error_text": "",
        **values,
    }
    transaction.execute(_ADD[transaction.get_bind().dialect.name], row)


def ready(session: Session) -> Sequence[str]:
    """Return the keys of analyses in shadow whose live results have gone, or cannot go now."""
    leaving = sa.select(Delivery.id).where(
        Delivery.job_id == KeptPrediction.job_id,
        Delivery.state.in_((DeliveryState.PENDING, DeliveryState.SENDING)),
    )
    query = sa.select(KeptPrediction.id).where(
        KeptPrediction.state == KeptState.PENDING, ~leaving.exists()
    )
    query = query.order_by(KeptPrediction.id).limit(_AT_ONCE)
    return [str(number) for number in session.scalars(query)]


def busy(session: Session) -> bool:
    """Tell whether a live job waits for a worker or runs."""
    query = sa.select(Job.id).where(Job.state.in_((JobState.QUEUED, JobState.RUNNING))).limit(1)
    return session.scalar(query) is not None


def begin(transaction: Transaction, number: int) -> KeptPrediction | None:
    """Count an attempt; None if there is nothing to do, or it was begun too often."""
    row = transaction.get(KeptPrediction, number)
    if row is None or row.state != KeptState.PENDING:
        return None
    if row.attempts >= MOST_ATTEMPTS:
        text = f"begun {row.attempts} times, and its process has ended each time"
        fail(transaction, number, "CRASHED", text)
        return None
    row.attempts += 1
    return row


def succeed(transaction: Transaction, number: int, content: Content) -> None:
    """Move PENDING → DONE; one that is not PENDING any more stays as it is."""
    _move(transaction, number, state=KeptState.DONE, content=content)


def fail(transaction: Transaction, number: int, code: str, text: str) -> None:
    """Move PENDING → FAILED; one that is not PENDING any more stays as it is."""
    _move(transaction, number, state=KeptState.FAILED, error_code=code, error_text=text)


def _move(transaction: Transaction, number: int, **values: object) -> None:
    transaction.execute(
        sa.update(KeptPrediction)
        .where(KeptPrediction.id == number, KeptPrediction.state == KeptState.PENDING)
        .values(**values)
    )


def of_study(session: Session, study_id: int, revision: int) -> dict[str, KeptPrediction]:
    """Return what is known of a revision, by the hash of the manifest."""
    query = sa.select(KeptPrediction).where(
        KeptPrediction.study_id == study_id,
        KeptPrediction.revision == revision,
        KeptPrediction.state != KeptState.PENDING,
    )
    return {row.manifest_sha256: row for row in session.scalars(query)}


def last_jobs(
    session: Session, models: Collection[str], studies: Collection[int], since: datetime | None
) -> list[str]:
    """Return the id of the last job of each study that has some, the oldest study first.

    Parameters
    ----------
    models, studies, since
        Only jobs of these models, of these studies, of studies whose last image came since then;
        what is empty restricts nothing.
    """
    query = sa.select(Job.study_id, Job.id).join(Study, Study.id == Job.study_id)
    query = query.where(Study.state.in_((StudyState.ROUTED, StudyState.PURGED)))
    if models:
        query = query.where(Job.model_name.in_(models))
    if studies:
        query = query.where(Study.id.in_(studies))
    if since:
        query = query.where(Study.last_received_at >= since)
    query = query.order_by(Job.study_id, Job.revision, Job.created_at)
    last: dict[int, str] = {}
    for study, key in session.execute(query):
        last[study] = key
    return list(last.values())


def remove(transaction: Transaction, study_id: StudyId) -> None:
    """Remove all of a study that a person deletes."""
    transaction.execute(sa.delete(KeptPrediction).where(KeptPrediction.study_id == study_id))


def expire(transaction: Transaction, most: int, before: datetime) -> int:
    """Remove what is older, so many rows at most; returns how many that were."""
    old = sa.select(KeptPrediction.id).where(KeptPrediction.created_at < before)
    return remove_some(transaction, KeptPrediction.id, old, most)
