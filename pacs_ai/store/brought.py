"""What nodes have brought of a revision that another node closes.

A study may come by associations with several nodes at once. The node that stored its last instance
closes it, and knows when its own associations have ended; the others write it down here.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from pacs_ai.domain import StudyId, StudyState
from pacs_ai.store.columns import Base
from pacs_ai.store.completeness import Revision
from pacs_ai.store.schema import Instance, Study
from pacs_ai.store.session import Transaction


class Brought(Base):
    """All associations that brought a node these instances have ended.

    ``instances`` is how many it has stored of the revision: with more than that, it receives again.
    ``released`` is whether the last of its associations was released. The rows of a study go when
    it is closed.
    """

    __tablename__ = "brought"
    study_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    node: Mapped[str] = mapped_column(String(64), primary_key=True)
    instances: Mapped[int]
    released: Mapped[bool]


@dataclass(frozen=True, slots=True)
class ByOthers:
    """What other nodes have stored of a revision.

    Parameters
    ----------
    ended
        Whether all associations with them have ended.
    released
        Whether the last one with each of them was released.
    """

    ended: bool
    released: bool


def _of(node: str) -> sa.ColumnElement[bool]:
    return Instance.path.startswith(f"{node}/", autoescape=True)


def by_others(session: Session, revision: Revision, node: str) -> ByOthers | None:
    """Return what nodes other than this one have stored of a revision; None if nothing."""
    study_id, number = revision
    stored = sa.select(sa.func.count()).where(
        Instance.study_id == study_id, Instance.revision == number, ~_of(node)
    )
    count = session.scalar(stored) or 0
    if not count:
        return None
    rows = session.scalars(
        sa.select(Brought).where(
            Brought.study_id == study_id, Brought.revision == number, Brought.node != node
        )
    ).all()
    ended = sum(row.instances for row in rows) == count
    return ByOthers(ended, ended and all(row.released for row in rows))


def closed_elsewhere(
    session: Session, revisions: Collection[Revision], node: str
) -> list[Revision]:
    """Return those of some revisions that another node receives, and has not closed."""
    query = sa.select(Study.id, Study.revision).where(
        Study.id.in_([study_id for study_id, _ in revisions]),
        Study.state == StudyState.RECEIVING,
        Study.node != node,
    )
    found = {(StudyId(study_id), revision) for study_id, revision in session.execute(query)}
    return sorted(found & set(revisions))


def note(transaction: Transaction, node: str, released: Mapping[Revision, bool]) -> None:
    """Note that all associations with a node have ended that brought some revisions.

    Parameters
    ----------
    released
        Whether the last one of each revision was released.
    """
    for (study_id, revision), whole in released.items():
        count = _stored(transaction, node, study_id, revision)
        row = Brought(
            study_id=study_id, revision=revision, node=node, instances=count, released=whole
        )
        transaction.merge(row)


def note_gone(transaction: Transaction, node: str) -> None:
    """Note of a node that is gone that it brings nothing more of what it was receiving."""
    query = sa.select(Study.id, Study.revision).where(
        Study.state == StudyState.RECEIVING, Study.node == node
    )
    rows = transaction.execute(query).all()
    note(transaction, node, {(StudyId(study_id), revision): False for study_id, revision in rows})


def note_ended(transaction: Transaction, node: str) -> None:
    """Note of a node that ends that it brings nothing more of what others close.

    What it has noted before and still holds is left as it is.
    """
    query = sa.select(Study.id, Study.revision).where(
        Study.state == StudyState.RECEIVING, Study.node != node
    )
    for study_id, revision in transaction.execute(query).all():
        count = _stored(transaction, node, StudyId(study_id), revision)
        noted = transaction.get(Brought, (study_id, revision, node)) if count else None
        if count and (noted is None or noted.instances != count):
            note(transaction, node, {(StudyId(study_id), revision): False})


def _stored(session: Session, node: str, study_id: StudyId, revision: int) -> int:
    """Return how many instances of a revision a node has stored."""
    query = sa.select(sa.func.count()).where(
        Instance.study_id == study_id, Instance.revision == revision, _of(node)
    )
    return session.scalar(query) or 0


def forget(transaction: Transaction, study_id: StudyId) -> None:
    """Drop the rows of a study that is closed or deleted."""
    transaction.execute(sa.delete(Brought).where(Brought.study_id == study_id))
