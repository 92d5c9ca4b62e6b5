"""For how long a revision of a study was waited for, why it was closed, and what its source says.

One row a revision. While images arrive it keeps what would be lost with the process; once the
revision is closed it says why.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, String, false
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from pacs_ai.domain import StudyId, StudyState
from pacs_ai.store.columns import WORD, Base
from pacs_ai.store.schema import Instance, Job, Result, Study
from pacs_ai.store.session import Transaction

Revision = tuple[StudyId, int]


class Completeness(Base):
    """How complete a revision of a study was.

    ``waited_seconds`` are those since its first instance, by the monotonic clock of nodes that ran;
    ``released``: all associations that brought it were released. ``signal`` is what closed it, ""
    while it is open. ``expected`` is how many images its source says that it has, ``present`` how
    many of those had arrived, ``asked`` the name of that peer; None and "" if nobody said it.
    """

    __tablename__ = "completeness"
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    waited_seconds: Mapped[float] = mapped_column(default=0.0)
    released: Mapped[bool] = mapped_column(default=False, server_default=false())
    signal: Mapped[str] = mapped_column(WORD, default="", server_default="")
    asked: Mapped[str] = mapped_column(String(64), default="", server_default="")
    expected: Mapped[int | None]
    present: Mapped[int | None]


@dataclass(frozen=True, slots=True)
class Progress:
    """What is kept of a revision that is being received; see `Completeness`."""

    waited_seconds: float = 0.0
    released: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """What a source says of a study, and what of it is there.

    Parameters
    ----------
    asked
        Name of the peer.
    expected, present
        Number of images that it has, and how many of them have arrived.
    """

    asked: str
    expected: int
    present: int

    @property
    def missing(self) -> int:
        """How many images the source has and we have not."""
        return max(0, self.expected - self.present)


_INSERT: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def keep(transaction: Transaction, progress: Mapping[Revision, Progress]) -> None:
    """Write down for how long revisions have been waited for."""
    rows: list[dict[str, object]] = [
        {
            "study_id": study_id,
            "revision": revision,
            "waited_seconds": one.waited_seconds,
            "released": one.released,
        }
        for (study_id, revision), one in progress.items()
    ]
    _upsert(transaction, rows)


def close(
    transaction: Transaction, revision: Revision, signal: str, counted: Counted | None
) -> None:
    """Write down what closed a revision, and how many of its images are there."""
    row = {
        "study_id": revision[0],
        "revision": revision[1],
        "signal": signal,
        "asked": "" if counted is None else counted.asked,
        "expected": None if counted is None else counted.expected,
        "present": None if counted is None else counted.present,
    }
    _upsert(transaction, [row])


def _upsert(transaction: Transaction, rows: Iterable[dict[str, object]]) -> None:
    insert = _INSERT[transaction.get_bind().dialect.name](Completeness)
    for row in rows:
        changed = {key: one for key, one in row.items() if key not in ("study_id", "revision")}
        transaction.execute(
            insert.values(**row).on_conflict_do_update(
                index_elements=[Completeness.study_id, Completeness.revision], set_=changed
            )
        )


def progress(session: Session, node: str) -> dict[Revision, Progress]:
    """Return what is kept of the revisions that a node is receiving."""
    query = sa.select(Completeness).join(Study, Study.id == Completeness.study_id)
    query = query.where(
        Study.state == StudyState.RECEIVING,
        Study.node == node,
        Study.revision == Completeness.revision,
    )
    return {
        (StudyId(row.study_id), row.revision): Progress(row.waited_seconds, row.released)
        for row in session.scalars(query)
    }


def of_study(session: Session, study_id: int) -> dict[int, Completeness]:
    """Return the rows of a study by revision."""
    query = sa.select(Completeness).where(Completeness.study_id == study_id)
    return {row.revision: row for row in session.scalars(query)}


def not_received(session: Session, study_id: int, revision: int) -> int:
    """Return how many images of a revision its source had and did not send before it was closed.

    Of a revision before which nobody asked the source, such as one that a person has begun, it is
    what was missing before and has not come since.
    """
    query = sa.select(Completeness).where(
        Completeness.study_id == study_id,
        Completeness.revision <= revision,
        Completeness.expected.is_not(None),
    )
    row = session.scalar(query.order_by(Completeness.revision.desc()).limit(1))
    if row is None:
        return 0
    since = sa.select(sa.func.count()).where(
        Instance.study_id == study_id,
        Instance.revision > row.revision,
        Instance.revision <= revision,
    )
    came = session.scalar(since) or 0
    return max(0, (row.expected or 0) - (row.present or 0) - came)


def present_by_series(session: Session, study_id: int) -> dict[str, int]:
    """Return the number of stored instances of a study, by Series Instance UID."""
    query = sa.select(Instance.series_instance_uid, sa.func.count())
    query = query.where(Instance.study_id == study_id).group_by(Instance.series_instance_uid)
    return {row[0]: row[1] for row in session.execute(query)}


def series_of_results(session: Session, study_id: int) -> set[str]:
    """Return the series that the node itself has made of a study: an archive counts them too."""
    query = sa.select(Result.series_instance_uid).join(Job, Job.id == Result.job_id)
    return set(session.scalars(query.where(Job.study_id == study_id)))


def forget(transaction: Transaction, study_id: StudyId) -> None:
    """Drop the rows of a study that is deleted."""
    transaction.execute(sa.delete(Completeness).where(Completeness.study_id == study_id))
