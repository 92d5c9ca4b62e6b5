"""A study of which no more is expected is closed, and then routed."""

import math

from pacs_ai.domain import StudyId, TaskKind
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.store import studies
from pacs_ai.store.schema import Study

_log = get_logger()


def complete(context: FlowContext, arrivals: Arrivals) -> float:
    """Close every study that counts as complete.

    May run at any time and on every node: each node closes what it received, and a second run
    changes no row.

    Returns
    -------
    float
        Seconds until the next one counts as complete if nothing more arrives; infinite if none
        will.
    """
    now = context.clock.monotonic()
    with context.database.read() as session:
        open_studies = studies.receiving(session, context.spool.node)
    arrivals.watch([(StudyId(study.id), study.revision) for study in open_studies], now)
    following = math.inf
    for study in open_studies:
        timing = context.config.timing(study.calling_aet, study.modality)
        due, reason = arrivals.due((StudyId(study.id), study.revision), timing)
        if due <= now:
            close(context, study, reason)
        else:
            following = min(following, due - now)
    return following


def close(context: FlowContext, study: Study, reason: str, *, actor: str | None = None) -> bool:
    """Close one study revision and ask for its route, in one transaction."""
    with context.write(actor, durable=actor is not None) as transaction:
        closed = studies.close(transaction, StudyId(study.id), study.revision, reason=reason)
        if closed:
            context.engine.enqueue(transaction, TaskKind.ROUTE, pair_key(study.id, study.revision))
    if closed:
        _log.info(
            "study complete",
            study=study_ref(study.study_instance_uid),
            revision=study.revision,
            reason=reason,
        )
    return closed
