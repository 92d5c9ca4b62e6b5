"""Take results back: withdraw those of a study, and see what became of it where they went."""

from dataclasses import dataclass
from datetime import datetime

from pacs_ai.domain import TaskKind
from pacs_ai.errors import StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import find_study
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.store import withdrawal_rows
from pacs_ai.store.records import filled
from pacs_ai.store.schema import Study
from pacs_ai.store.session import Session
from pacs_ai.store.withdrawal_rows import NOT_SENT, Outcome
from pacs_ai.store.withdrawal_table import Withdrawal
from pacs_ai.withdrawal_kinds import Notice, RejectionReason, WithdrawalWay

_WAYS = {
    Notice.NOTE: "rejection note",
    Notice.REPORT: "report that takes its place",
    Notice.HL7: "corrected hl7 message",
    Notice.FHIR: "corrected fhir bundle",
    NOT_SENT: "never sent",
}
_NOT_TOLD = "not told (rejection_note = false)"
TO_COME = "to be told"

_log = get_logger()


@dataclass(frozen=True, slots=True)
class WithdrawalOutcome:
    """What became of withdrawn results at one destination.

    ``way`` says how the destination is told, ``state`` is that of the delivery that tells it, and
    ``reason`` why that has not happened, or what the destination said.
    """

    destination: str
    results: int
    way: str
    state: str
    at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class WithdrawalRecord:
    """A withdrawal of results of a study; ``model`` is "" where it is of all models."""

    id: int
    study: int
    at: datetime
    user: str
    reason: str
    model: str
    outcomes: list[WithdrawalOutcome]


def withdraw_results(
    context: FlowContext, reference: str, reason: RejectionReason, model: str = ""
) -> WithdrawalRecord:
    """Take the results of a study back.

    What waits to be sent is cancelled, jobs under way too. Destinations that have got results are
    told; who wants other results in their place has the rules applied again
    (`pacs_ai.flow.operate.studies.reroute_study`).

    Parameters
    ----------
    reference
        Row id, Study Instance UID, or reference of the log.
    reason
        Why.
    model
        Only the results of this model; "" for all.

    Raises
    ------
    StateError
        If there is no such study, it has no results that hold, or neither its files nor its
        evidence are left: nobody could be told whose results these are.
    """
    # the other commands about results need no library of images
    from pacs_ai.flow.notice_sources import NoticeSources  # noqa: PLC0415 - loads networks, 2 s

    study = find_study(context, reference).study
    with context.write() as transaction:
        # retention does not delete the files meanwhile: it waits for the row, and looks again
        locked = transaction.get_one(Study, study.id, with_for_update=True)
        if not NoticeSources(context, locked).there:
            raise StateError(
                f"study {study.id}: its files and its evidence are removed, so no message can name"
                " its patient. Reject its results at their destinations by hand:"
                f" pacs-ai studies show {study.id} --all lists their SOP Instance UIDs"
            )
        taken = withdrawal_rows.take_back(transaction, locked, reason, model)
        if not taken:
            of_model = f" of {model}" if model else ""
            raise StateError(
                f"study {study.id} has no results{of_model} that hold: none was made, or they are"
                f" withdrawn already (pacs-ai results withdrawals {study.id})"
            )
        context.engine.enqueue(transaction, TaskKind.WITHDRAW, str(study.id))
    _log.warning(
        "results taken back",
        study=study_ref(study.study_instance_uid),
        results=taken,
        reason=str(reason),
    )
    return list_withdrawals(context, str(study.id))[-1]


def list_withdrawals(context: FlowContext, reference: str) -> list[WithdrawalRecord]:
    """Return the withdrawals of a study, the first one first.

    Raises
    ------
    StateError
        If there is no such study.
    """
    study = find_study(context, reference).study
    with context.database.read() as session:
        return [
            _record(context, session, study, row)
            for row in withdrawal_rows.of_study(session, study.id)
        ]


def _record(
    context: FlowContext, session: Session, study: Study, row: Withdrawal
) -> WithdrawalRecord:
    return filled(
        WithdrawalRecord,
        row,
        study=study.id,
        user=row.user_name,
        model=row.model_name,
        outcomes=[_outcome(context, one) for one in withdrawal_rows.outcomes(session, row.id)],
    )


def _outcome(context: FlowContext, one: Outcome) -> WithdrawalOutcome:
    told = one.destination in context.config.told_of_withdrawals
    way = _WAYS.get(one.kind, TO_COME if told else _NOT_TOLD)
    peer = context.config.peers.get(one.destination)
    if one.kind == Notice.NOTE and peer is not None and peer.withdrawal is WithdrawalWay.DELETE:
        way = "deleted there"
    return filled(WithdrawalOutcome, one, way=way)
