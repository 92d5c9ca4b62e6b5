"""Results that do not hold any more are withdrawn where they went, by a notice.

It does not hold what was made under a patient who was corrected, or what a person has taken back.
A notice is a result like any other: stored first, then sent, and tried again. What each peer has to
be told stands in the rows: a crash in between loses nothing, and nobody is told twice.
"""

from collections.abc import Iterator, Mapping, Sequence

from pacs_ai.domain import DOCUMENTS, TaskKind
from pacs_ai.errors import StorageError
from pacs_ai.flow.ask import ask_delivery
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.notice_sources import NoticeSources
from pacs_ai.flow.notices import Telling, make_notice
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.store import identities, withdrawal_rows, withdrawals
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Delivery, Result, Study

Row = tuple[Delivery, Result]

_log = get_logger()


def withdraw(context: FlowContext, key: str) -> None:
    """Make a notice for each peer that has got results of a study which do not hold any more.

    Parameters
    ----------
    key
        The study's row id.

    Raises
    ------
    StorageError
        If nothing can be read that names the right patient: the task comes again.
    """
    with context.database.read() as session:
        study = session.get(Study, int(key))
        if study is None:
            return
        owed = withdrawals.owed(session, study, context.config.told_of_withdrawals)
        identity = identities.used(session, study)
    sources, failure = NoticeSources(context, study), None
    for destination, rows in _parts(owed):
        telling = _telling(context, study, destination, rows)
        try:
            made = make_notice(context, study, sources, identity, telling)
        except StorageError as error:  # the other notices are made all the same
            _log.error("results not withdrawn", study=study_ref(study.study_instance_uid))
            failure = error
            continue
        _enter(context, study, destination, made, [delivery for delivery, _ in rows])
    if failure is not None:
        raise failure


def _parts(owed: Mapping[str, Sequence[Row]]) -> Iterator[tuple[str, list[Row]]]:
    """Put into one notice what belongs to one reason, and each document into one of its own.

    What a peer has got and what it may have got are not named together: an archive that knows none
    of the latter may refuse their notice, and keep the other.
    """
    for destination, rows in owed.items():
        parts: dict[tuple[bool, int | None, int | None], list[Row]] = {}
        for delivery, result in rows:
            sure = delivery.state in withdrawals.DELIVERED
            alone = result.id if result.kind in DOCUMENTS else None
            parts.setdefault((sure, result.withdrawal_id, alone), []).append((delivery, result))
        for part in parts.values():
            yield destination, part


def _telling(context: FlowContext, study: Study, destination: str, rows: Sequence[Row]) -> Telling:
    results = [result for _, result in rows]
    with context.database.read() as session:
        reason = withdrawal_rows.reason_of(session, results[0].withdrawal_id)
        replacement = withdrawal_rows.replacement(session, results[0])
    corrected = results[0].correction < study.correction
    return Telling(destination, results, reason, corrected, replacement)


def _enter(
    context: FlowContext,
    study: Study,
    destination: str,
    made: StoredResult,
    rows: Sequence[Delivery],
) -> None:
    """Enter a notice, unless meanwhile another worker did, or the next correction came."""
    with context.write() as transaction:
        now = transaction.get_one(Study, study.id, with_for_update=True)
        owed = withdrawals.owed(transaction, now, [destination]).get(destination, [])
        same = {one.id for one in rows} <= {delivery.id for delivery, _ in owed}
        if same and now.correction == study.correction:
            job = withdrawals.enter(transaction, now, destination, made, rows)
            ask_delivery(context, transaction, job, destination)
            entered = True
        else:
            context.engine.enqueue(transaction, TaskKind.WITHDRAW, str(study.id))
            entered = False
    if not entered:
        context.spool.delete(made.path)
        return
    _log.warning(
        "results withdrawn",
        study=study_ref(study.study_instance_uid),
        peer=destination,
        results=len(rows),
    )
