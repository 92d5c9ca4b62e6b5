"""Delete a study for an operator, files and rows, so that it can be sent again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pacs_ai.domain import StudyState
from pacs_ai.errors import IllegalTransition, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.evidence.keep import keep_evidence
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.store import deletion, withdrawals
from pacs_ai.store.schema import Study

_log = get_logger()


def delete(context: FlowContext, study: Study) -> deletion.Deleted:
    """Remove a study that no job or delivery is working on; its evidence is kept.

    Rows are deleted before files: a crash in between leaves files, never rows without a file.

    Raises
    ------
    IllegalTransition
        If one is; the message says which.
    """
    with context.database.read() as session:
        deletion.refuse_what_is_under_way(session, study)
    if study.state != StudyState.PURGED:  # else it was kept when the files went
        keep_evidence(context, study)
    with context.write() as transaction:
        if withdrawals.owed(transaction, study, context.config.told_of_withdrawals):
            raise IllegalTransition(
                f"study {study.id}: results of it are still to be withdrawn: wait for that"
            )
        deleted = deletion.delete(transaction, study)
    deleted = replace(deleted, paths=remove_files(context, deleted.paths))
    _log.warning(
        "study deleted",
        study=study_ref(study.study_instance_uid),
        files=len(deleted.paths),
        delivered=deleted.delivered,
    )
    return deleted


def remove_files(context: FlowContext, paths: Sequence[str]) -> list[str]:
    """Remove files whose rows are deleted; return those that could be removed.

    If the disk refuses, the next start of the node tries again; see `left_over`.
    """
    removed = []
    for path in paths:
        try:
            context.spool.delete(path)
        except StorageError as error:
            _log.warning("file not removed", file=path, reason=error.message)
        else:
            removed.append(path)
    return removed


def left_over(context: FlowContext, path: str, study_instance_uid: str) -> bool:
    """Whether the file of an instance is older than the removal of its study.

    Such a file should have gone with its study: the node was killed, the disk refused, or a backup
    brought the file back.
    """
    with context.database.read() as session:
        at = deletion.removed_at(session, study_instance_uid)
    written = context.spool.path_of(path).stat().st_mtime
    return at is not None and datetime.fromtimestamp(written, UTC) < at
