"""Feedback on the page: what was said of a study, how to say something, concordance of models."""

from pacs_ai.feedback_kinds import FeedbackKind, Label
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import feedback
from pacs_ai.store.selection import Filter
from pacs_ai.web.errors import BadRequest
from pacs_ai.web.page.table import Table, row

_ROWS = 200
_LABEL = "label "
"""Begins the name of a field; the name of the class follows."""


def give(node: FlowContext, form: dict[str, str]) -> str:
    """Say what the result of a job is worth; fields without a label leave it to the kind."""
    kind, job = form.get("kind", ""), form.get("job", "")
    if kind not in tuple(FeedbackKind) or not job:
        raise BadRequest("kind or job: is missing")
    labels = {
        name.removeprefix(_LABEL): label
        for name, label in form.items()
        if name.startswith(_LABEL) and label
    }
    if not set(labels.values()) <= set(Label):
        raise BadRequest("a label is none of present, absent, uncertain")
    given = {name: Label(label) for name, label in labels.items()}
    feedback.add_feedback(node, job, FeedbackKind(kind), given, "page")
    return f"your feedback ({kind}) is kept"


def said_table(node: FlowContext, study_id: int) -> Table:
    """Make the table of what was said about the results of a study."""
    rows = [
        row(
            one.at,
            one.user,
            one.kind if one.counts else f"{one.kind} (replaced)",
            one.model,
            one.holds,
            [f"{name}: {label}" for name, label in one.labels.items()],
        )
        for one in feedback.list_feedback(node, Filter(study=study_id, limit=_ROWS))
    ]
    columns = ("When", "Who", "Feedback", "Model", "Result", "Labels")
    return Table("Feedback", columns, rows, "There is none.")


def concordance_table(node: FlowContext) -> Table:
    """Make the table that says how often users agree with the models."""
    rows = [
        row(
            f"{one.model} {one.version}",
            one.month,
            one.finding,
            f"{one.agreed} of {one.cases}",
            f"{100 * one.share:.1f} %",
            f"{100 * one.low:.1f} to {100 * one.high:.1f} %",
        )
        for one in reversed(feedback.list_concordance(node, Filter()))
    ]
    columns = ("Model", "Month", "Class", "Agreed", "Share", "95 % interval")
    return Table("Agreement with users", columns, rows[:_ROWS], "There is no feedback.")
