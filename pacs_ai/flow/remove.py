"""A study is removed on a person's word, files and rows, so that it can be sent again."""

from pacs_ai.errors import IllegalTransition
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.store import deletion, withdrawals
from pacs_ai.store.operator import ACTOR
from pacs_ai.store.schema import Study

_log = get_logger()


def delete(context: FlowContext, study: Study) -> deletion.Deleted:
    """Remove a study of which nothing is under way.

    Rows go before files: a crash in between leaves files, never rows without one.

    Raises
    ------
    IllegalTransition
        If anything is; the message says what.
    """
    with context.database.write() as session:
        if withdrawals.owed(session, study, context.config.told_of_withdrawals):
            raise IllegalTransition(
                f"study {study.id}: results of it are still to be withdrawn: wait for that"
            )
        deleted = deletion.delete(session, study, now=context.now(), actor=ACTOR)
    for path in deleted.paths:
        context.spool.delete(path)
    _log.warning(
        "study deleted",
        study=study_ref(study.study_instance_uid),
        files=len(deleted.paths),
        delivered=deleted.delivered,
    )
    return deleted
