"""Keep the evidence of studies whose files are removed, by the node or by a person."""

from datetime import datetime, timedelta

from pacs_ai.errors import StorageError
from pacs_ai.files import translated
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.evidence.archive import FOLDER
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.store.schema import Study

_log = get_logger()


def keep_evidence(context: FlowContext, study: Study) -> None:
    """Write the evidence of a study, without its images, before its files go.

    A disk that is full must not keep the files from being removed: then there is no evidence, and
    the log says so.
    """
    if not context.config.kept.evidence_days:
        return
    # a command has no folder of its own: the node that has the study keeps its evidence
    from pacs_ai.flow.evidence.collect import write_evidence  # noqa: PLC0415 - loads networks, 2 s

    home = context.spool.home if context.spool.node else context.spool.root / study.node
    folder = home / FOLDER
    path = folder / f"{study.id}-{study.revision}.zip"
    try:
        with translated(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        write_evidence(context, study, path, images=False, node=home.name)
    except StorageError as error:
        name = study_ref(study.study_instance_uid)
        _log.error("evidence not written", study=name, error=error.code, reason=error.message)


def expire_evidence(context: FlowContext, today: datetime) -> int:
    """Remove archives that are older than ``retention.evidence_days``; return how many."""
    before = (today - timedelta(days=context.config.kept.evidence_days)).timestamp()
    folder, removed = context.spool.home / FOLDER, 0
    with translated(folder):
        for path in folder.glob("*.zip"):
            if path.stat().st_mtime < before:
                path.unlink(missing_ok=True)
                removed += 1
    return removed
