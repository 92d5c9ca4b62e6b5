"""End a CONFLICT: an operator says whose study it is; new results replace the old ones."""

from pacs_ai.domain import StudyId, TaskKind
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.store import corrections
from pacs_ai.store.schema import Study

_log = get_logger()


def resolve(context: FlowContext, study_id: StudyId, number: int) -> int:
    """End the CONFLICT of a study in favour of one of its patients.

    Parameters
    ----------
    number
        Which one, in the order of arrival, from 1.

    Returns
    -------
    int
        The revision that is open now.

    Raises
    ------
    StateError
        If the study is not in CONFLICT, or no file names this patient.
    """
    with context.write() as transaction:
        study = transaction.get_one(Study, study_id, with_for_update=True)
        before = study.correction
        revision = corrections.keep(transaction, study, number)
        transaction.refresh(study)
        corrected = study.correction != before
        if corrected:
            context.engine.enqueue(transaction, TaskKind.WITHDRAW, str(study_id))
    _log.warning(
        "conflict resolved",
        study=study_ref(study.study_instance_uid),
        patient=number,
        corrected=corrected,
    )
    return revision
