"""What was measured of studies, and the streams that they belong to."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pacs_ai.errors import LeaseLost
from pacs_ai.store.drift_tables import DriftStream, Observation
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.session import Transaction

_SENDERS = 200
"""Senders of one model that are told apart; all others share the name ""."""

_KEY = ("model_name", "manifest_sha256", "sender", "modality")

_KEPT = 200
"""Observations of a stream that are kept."""

_INSERT = {
    name: insert(Observation).on_conflict_do_nothing()
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}


def add(
    transaction: Transaction, job_id: str, modality: str, measured: Mapping[str, float]
) -> None:
    """Keep what was measured of the study of a job; a study counts once for each model."""
    job = transaction.get_one(Job, job_id)
    study = transaction.get_one(Study, job.study_id)
    transaction.execute(
        _INSERT[transaction.get_bind().dialect.name],
        {
            "at": transaction.now,
            "study_id": study.id,
            "model_name": job.model_name,
            "manifest_sha256": job.manifest_sha256,
            "sender": study.calling_aet,
            "modality": modality[:16],
            "measured": dict(measured),
            "seen": False,
        },
    )


def unseen(session: Session, limit: int) -> Sequence[Observation]:
    """Return the oldest observations that nobody has counted."""
    query = sa.select(Observation).where(~Observation.seen).order_by(Observation.id).limit(limit)
    return session.scalars(query).all()


def stream_of(known: Sequence[DriftStream], one: Observation) -> DriftStream:
    """Return the stream of an observation; a new one has no id yet.

    Parameters
    ----------
    known
        All streams.
    """
    mine = [
        stream
        for stream in known
        if (stream.model_name, stream.manifest_sha256, stream.modality)
        == (one.model_name, one.manifest_sha256, one.modality)
    ]
    senders = {stream.sender for stream in known if stream.model_name == one.model_name}
    sender = one.sender if one.sender in senders or len(senders) < _SENDERS else ""
    found = next((stream for stream in mine if stream.sender == sender), None)
    return found or DriftStream(
        model_name=one.model_name,
        manifest_sha256=one.manifest_sha256,
        sender=sender,
        modality=one.modality,
        studies=0,
        compared=0,
        alarms={},
        shifts={},
        scores={},
    )


def last(session: Session, stream: DriftStream, limit: int) -> list[dict[str, float]]:
    """Return what was measured of the last studies of a stream that are counted, oldest first."""
    query = (
        sa.select(Observation.measured)
        .where(Observation.stream_id == stream.id)
        .order_by(Observation.id.desc())
        .limit(limit)
    )
    return list(session.scalars(query))[::-1]


def count(
    transaction: Transaction, stream: DriftStream, studies_before: int, taken: Sequence[Observation]
) -> None:
    """Write a stream, and that observations are counted in it; delete its oldest ones.

    Parameters
    ----------
    studies_before
        Number of studies of the stream when it was read.

    Raises
    ------
    LeaseLost
        If another node has counted them, or changed the stream, meanwhile.
    """
    key = {name: getattr(stream, name) for name in _KEY}
    now = transaction.scalar(sa.select(DriftStream.studies).filter_by(**key)) or 0
    if now != studies_before:
        raise LeaseLost("another node counts these studies")
    kept = transaction.merge(stream)
    transaction.flush()
    changed = transaction.execute(
        sa.update(Observation)
        .where(Observation.id.in_([one.id for one in taken]), ~Observation.seen)
        .values(seen=True, stream_id=kept.id)
        .returning(Observation.id)
    )
    if len(changed.all()) != len(taken):
        raise LeaseLost("another node counts these studies")
    _prune(transaction, kept.id)


def _prune(transaction: Transaction, stream_id: int) -> None:
    newest = (
        sa.select(Observation.id)
        .where(Observation.stream_id == stream_id)
        .order_by(Observation.id.desc())
        .offset(_KEPT)
        .limit(1)
        .scalar_subquery()
    )
    transaction.execute(
        sa.delete(Observation)
        .where(Observation.stream_id == stream_id, Observation.id <= newest)
        .execution_options(synchronize_session=False)
    )


def streams(session: Session) -> Sequence[DriftStream]:
    """Return all streams, by model, sender and modality."""
    order = (DriftStream.model_name, DriftStream.sender, DriftStream.modality, DriftStream.id)
    return session.scalars(sa.select(DriftStream).order_by(*order)).all()
