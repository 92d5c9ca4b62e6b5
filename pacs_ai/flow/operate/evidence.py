"""Evidence of a study: write, verify."""

import shutil
from pathlib import Path

from pacs_ai.config import Config
from pacs_ai.domain import StudyState
from pacs_ai.errors import StateError
from pacs_ai.files import PRIVATE, translated
from pacs_ai.flow.audit import note
from pacs_ai.flow.audit.seal import audit_source
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.evidence.check import check_evidence
from pacs_ai.flow.evidence.collect import kept_archive, known_bundles, write_evidence
from pacs_ai.flow.evidence.remake import Check
from pacs_ai.flow.operate.find import find_study

__all__ = ["Check", "save_evidence", "verify_evidence"]


def save_evidence(context: FlowContext, reference: str, path: Path, *, images: bool) -> Path:
    """Write the evidence of a study; that it was written is in the ledger.

    Parameters
    ----------
    reference
        Row id, Study Instance UID, or reference of the log.
    path
        The archive.
    images
        Whether the images are part of it.

    Raises
    ------
    StateError
        If there is no such study, or its files are gone and no evidence of it was kept.
    StorageError
        If a file cannot be read or written.
    """
    study = find_study(context, reference).study
    if study.state in (StudyState.PURGED, StudyState.DELETED):
        kept = kept_archive(context.spool.root, study.id)
        if kept is None or images:
            missing = "images are" if kept else "files are"
            raise StateError(f"study {study.id}: its {missing} removed ({study.state})")
        with translated(path, "cannot be written"):
            shutil.copyfile(kept, path)
            path.chmod(PRIVATE)
    else:
        write_evidence(context, study, path, images=images, node=audit_source(context))
    note.exported(context, study.id, "with images" if images else "without images")
    return path


def verify_evidence(
    config: Config, path: Path, sources: Path | None, model: str | None
) -> list[Check]:
    """Check an archive, and make its results again; no node is needed.

    Parameters
    ----------
    sources
        Folder with the images; None for those in the archive.
    model
        Folder of the bundle, if it is not one of the configuration or a shipped one.
    """
    return check_evidence(path, config, known_bundles(config, model), sources)
