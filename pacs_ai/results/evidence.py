"""What the results of a study, or the report that there are none, draw on."""

from pacs_ai.domain import Refusal, StudyPrediction
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.results.source import Evidence

_log = get_logger()


def evidence_of(about: StudyPrediction | Refusal) -> Evidence:
    """Read the headers of the instances that were looked at.

    The log names the attributes that results do not take over from them, without values.

    Raises
    ------
    NotDicom
        If a source file cannot be read any more.
    """
    evidence = Evidence(about.headers) if isinstance(about, Refusal) else Evidence.of(about)
    if evidence.left_out:
        study = study_ref(evidence.study_instance_uid)
        _log.warning("left out of the results", study=study, attributes=evidence.left_out)
    return evidence
