"""Withdrawals on the page: take the results of a study back, and see what became of that."""

from collections.abc import Iterator

from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import withdrawals
from pacs_ai.web.errors import BadRequest
from pacs_ai.web.page.table import Table, row, state
from pacs_ai.withdrawal_kinds import RejectionReason

REASONS = {
    RejectionReason.QUALITY: "quality",
    RejectionReason.PATIENT_SAFETY: "patient safety",
    RejectionReason.WORKLIST: "wrong worklist entry",
    RejectionReason.RETENTION: "end of the keep time",
}
"""What people call the reasons."""


def withdraw(node: FlowContext, form: dict[str, str]) -> str:
    """Take the results of a study back."""
    if form.get("reason") not in tuple(RejectionReason):
        raise BadRequest("reason: is missing")
    done = withdrawals.withdraw_results(node, form["study"], RejectionReason(form["reason"]))
    return f"the results of study {done.study} are withdrawn; see below what becomes of it where"


def withdrawal_tables(node: FlowContext, study_id: int) -> Iterator[Table]:
    """Make the table of what was withdrawn of a study; none if nothing was."""
    rows = [
        row(
            record.at,
            record.user,
            REASONS[RejectionReason(record.reason)],
            record.model or "all",
            one.destination,
            one.results,
            one.way,
            state(one.state),
            one.reason,
        )
        for record in withdrawals.list_withdrawals(node, str(study_id))
        for one in record.outcomes
    ]
    who = ("When", "By", "Reason", "Model")
    where = ("Destination", "Results", "Told by", "State", "Remark")
    if rows:
        yield Table("Withdrawn", who + where, rows, "")
