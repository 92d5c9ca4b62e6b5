"""Whether all has come of the studies that archives were asked for."""

from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import StudyState
from pacs_ai.store.pull_table import Pull
from pacs_ai.store.pulls import PullState
from pacs_ai.store.schema import Study


def receiving(session: Session, node: str, peers: Collection[str]) -> Mapping[str, datetime | None]:
    """Return when archives had sent all of studies that a node is receiving.

    Parameters
    ----------
    peers
        Names of archives.

    Returns
    -------
    dict
        By Study Instance UID; None while an archive has not sent all of a study, and is asked for
        the rest. A study that was not asked for, or was given up, is left out.
    """
    begun = sa.or_(
        Pull.state.in_((PullState.RUNNING, PullState.DONE)),
        sa.and_(Pull.state == PullState.QUEUED, Pull.attempt > 0),
    )
    query = (
        sa.select(Pull.study_instance_uid, Pull.finished_at, Pull.state)
        .join(Study, Study.study_instance_uid == Pull.study_instance_uid)
        .where(Study.state == StudyState.RECEIVING, Study.node == node, Pull.peer.in_(peers), begun)
    )
    found: dict[str, datetime | None] = {}
    for uid, finished_at, state in session.execute(query):
        came = finished_at if state == PullState.DONE else None
        before = found.get(uid, came)
        found[uid] = None if came is None or before is None else max(came, before)
    return found
