"""Whom the images of a study in CONFLICT name, where an older version did not note it."""

from pacs_ai.dicom.scan import scan_instance
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.receive import Origin, sender_of
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.store import identities
from pacs_ai.store.identities import Sender
from pacs_ai.store.schema import Instance, Study

_log = get_logger()


def identify(context: FlowContext) -> None:
    """Read the files of such studies, so that a person has choices; once, after an upgrade.

    A file that is gone or damaged says nothing: its image stays out of the analysis.
    """
    with context.database.read() as session:
        studies = identities.unnoted_conflicts(session)
    for study_id, instances in studies.items():
        stated = [
            (row.id, sender) for row in instances if (sender := _stated(context, row)) is not None
        ]
        with context.write() as transaction:
            study = transaction.get_one(Study, study_id, with_for_update=True)
            identities.note(transaction, study, stated)
            name = study_ref(study.study_instance_uid)
        _log.info("patients of a study in conflict noted", study=name, images=len(stated))


def _stated(context: FlowContext, row: Instance) -> Sender | None:
    try:
        scanned = scan_instance(context.spool.path_of(row.path), hash_pixels=False)
    except (NotDicom, StorageError):
        return None
    return sender_of(context, scanned, Origin(row.calling_aet, row.called_aet, None))
