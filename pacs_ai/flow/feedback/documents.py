"""Feedback that comes as a structured report, by C-STORE or STOW-RS.

A report is received like any other instance. Its row says that nobody has read it for feedback, so
neither a crash nor a database that is away loses it. The daemon reads it a few seconds later.
"""

from pacs_ai.errors import NotDicom, StateError, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.feedback.assessed import Judgement, judgements
from pacs_ai.flow.loop_guard import OWN_RESULT
from pacs_ai.logs import get_logger, keyed_hash, study_ref
from pacs_ai.results.sr.read_assessment import Assessment, read_assessment
from pacs_ai.store import feedback, feedback_documents
from pacs_ai.store.feedback_documents import Document, Reading

SOURCE = "sr"

_AT_ONCE = 50
_PAUSES = (10.0, 600.0)
"""Seconds between two tries of a report whose file cannot be read: the first, and the longest."""

_log = get_logger()


class FeedbackDocuments:
    """Reads the structured reports of a node for feedback.

    Parameters
    ----------
    context
        The node.
    """

    def __init__(self, context: FlowContext) -> None:
        self._context = context
        self._later: dict[int, tuple[float, float]] = {}

    def sweep(self) -> None:
        """Read the reports that nobody has read.

        Raises
        ------
        StorageError
            If the database is out of reach.
        """
        now = self._context.clock.monotonic()
        waiting = [key for key, (due, _) in self._later.items() if due > now]
        with self._context.database.read() as session:
            documents = feedback_documents.to_read(session, waiting, _AT_ONCE)
        for document in documents:
            try:
                assessment = self._assessment(document)
            except StorageError as error:
                self._put_off(document, error, now)
            else:
                self._later.pop(document.instance_id, None)
                self._enter(document, assessment)

    def _put_off(self, document: Document, error: StorageError, now: float) -> None:
        _, pause = self._later.get(document.instance_id, (0.0, _PAUSES[0]))
        self._later[document.instance_id] = (now + pause, min(2 * pause, _PAUSES[1]))
        name = study_ref(document.study_instance_uid)
        _log.warning("structured report not read yet", study=name, error=error.code)

    def _assessment(self, document: Document) -> Assessment | None:
        """Read a report; None for one of ours, and for one that is no report."""
        if document.unusable_reason == OWN_RESULT:
            return None
        try:
            return read_assessment(self._context.spool.path_of(document.path))
        except NotDicom:
            return None

    def _enter(self, document: Document, assessment: Assessment | None) -> None:
        """Enter what a report says, and that it was read, in one transaction."""
        reading, said, reason = self._judged(document, assessment)
        user = self._user(document, assessment)
        with self._context.write(document.calling_aet or None) as transaction:
            if not feedback_documents.mark(transaction, document, reading, reason):
                return
            for one in said:
                uid = one.target.result.sop_instance_uid
                if feedback.has_said(transaction, document.sop_instance_uid, uid):
                    continue
                feedback.add(
                    transaction,
                    one.target,
                    one.kind,
                    one.labels,
                    SOURCE,
                    user=user,
                    document_uid=document.sop_instance_uid,
                )
        name = study_ref(document.study_instance_uid)
        if reading is Reading.REFUSED:
            _log.warning("feedback refused", study=name, reason=reason)
        for one in said:
            _log.info("feedback entered", study=name, job=one.target.job.id, kind=one.kind)

    def _judged(
        self, document: Document, assessment: Assessment | None
    ) -> tuple[Reading, list[Judgement], str]:
        """Find out what a report is about and what it says, or why it is refused."""
        if assessment is None:
            return Reading.NONE, [], ""
        with self._context.database.read() as session:
            known = feedback.by_uids(session, assessment.uids)
        try:
            said = judgements(assessment, known.get)
            _check(document, said)
        except StateError as error:
            return Reading.REFUSED, [], error.message
        return (Reading.ENTERED if said else Reading.NONE), said, ""

    def _user(self, document: Document, assessment: Assessment | None) -> str:
        """Return what stands for who made a report: a keyed hash of the name, or the sender."""
        observer = assessment.observer if assessment is not None else ""
        if not observer:
            return f"sr:{document.calling_aet}"
        return f"sr:{keyed_hash(self._context.secret, f'observer|{observer.strip()}')[:12]}"


def _check(document: Document, said: list[Judgement]) -> None:
    """Refuse what a report says of another study's result, or under another patient's name.

    Raises
    ------
    StateError
        If so. A report about a result that was withdrawn names the patient of then.
    """
    for one in said:
        target = one.target
        if target.study.id != document.study_id:
            raise StateError("it lies in another study than the result that it is about")
        if document.foreign and target.result.correction >= target.study.correction:
            raise StateError("it names another patient than the study")
