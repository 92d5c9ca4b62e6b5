"""Results that do not hold any more are withdrawn where they went, by a rejection note.

The note is a result like any other: stored first, then sent, and tried again. What each peer has to
be told stands in the rows: a crash in between loses nothing, and nobody is told twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.digests import digest_of
from pacs_ai.domain import ResultKind, TaskKind
from pacs_ai.errors import InvalidResult, StorageError
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.results.build import DICOM_SUFFIX, BuiltResult
from pacs_ai.results.common.context import result_context
from pacs_ai.results.common.evidence import read_source
from pacs_ai.results.sr.rejection_note import Withdrawn, build_rejection
from pacs_ai.store import identities, withdrawals
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Delivery, Result, Study

PATIENT_CORRECTED = (
    "The patient of this study was corrected after these AI results were made. They do not hold; "
    "results under the right patient take their place."
)

Row = tuple[Delivery, Result]

_log = get_logger()


def withdraw(context: FlowContext, key: str) -> None:
    """Make a note for each peer that has got results of a study which do not hold any more.

    Parameters
    ----------
    key
        The study's row id.

    Raises
    ------
    StorageError
        If no file can be read that names the right patient: the task comes again.
    """
    with context.database.read() as session:
        study = session.get(Study, int(key))
        if study is None:
            return
        owed = withdrawals.owed(session, study, context.config.told_of_withdrawals)
        path = identities.right_file(session, study)
        identity = identities.used(session, study)
    for destination, rows in _notes(owed):
        if not path:
            _log.error("results not withdrawn", study=study_ref(study.study_instance_uid))
            raise StorageError(f"study {key}: no file names the patient who is right")
        made = _note(context, study, path, identity, destination, [result for _, result in rows])
        _enter(context, study, destination, made, [delivery for delivery, _ in rows])


def _notes(owed: Mapping[str, Sequence[Row]]) -> Iterator[tuple[str, list[Row]]]:
    """Put what a peer has got into one note, and what it may have got into another.

    An archive that knows none of the latter may refuse their note, and keep the other.
    """
    for destination, rows in owed.items():
        for sure in (True, False):
            some = [row for row in rows if (row[0].state in withdrawals.DELIVERED) == sure]
            if some:
                yield destination, some


def _note(
    context: FlowContext,
    study: Study,
    path: str,
    identity: str,
    destination: str,
    results: Sequence[Result],
) -> StoredResult:
    made_by = result_context(context.config, context.installation_uid(), context.now())
    withdrawn = [
        Withdrawn(
            study.study_instance_uid,
            result.series_instance_uid,
            result.sop_class_uid,
            result.sop_instance_uid,
        )
        for result in results
    ]
    source = read_source(context.spool.path_of(path))
    note = build_rejection(
        withdrawn, PATIENT_CORRECTED, destination, source, replace(made_by, identity=identity)
    )
    if problems := check_dataset(note):
        raise InvalidResult(f"rejection note: {problems[0]}")
    content = BuiltResult(ResultKind.KEY_OBJECT, 1, note).encode()
    return StoredResult(
        kind=withdrawals.REJECTION,
        number=0,
        sop_class_uid=str(note.SOPClassUID),
        sop_instance_uid=str(note.SOPInstanceUID),
        series_instance_uid=str(note.SeriesInstanceUID),
        path=context.spool.write_result([content], DICOM_SUFFIX),
        digest=digest_of(content),
        send_to=(destination,),
        fresh=True,
        bytes=len(content),
    )


def _enter(
    context: FlowContext,
    study: Study,
    destination: str,
    made: StoredResult,
    rows: Sequence[Delivery],
) -> None:
    """Enter a note, unless meanwhile another worker did, or the next correction came."""
    with context.write() as transaction:
        now = transaction.get_one(Study, study.id, with_for_update=True)
        owed = withdrawals.owed(transaction, now, [destination]).get(destination, [])
        same = {one.id for one in rows} <= {delivery.id for delivery, _ in owed}
        if same and now.correction == study.correction:
            job = withdrawals.enter(transaction, now, destination, made, rows)
            context.engine.enqueue(transaction, TaskKind.DELIVER, pair_key(job, destination))
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
