"""Operations of the REST API on feedback."""

from collections.abc import Sequence

from pydantic import Field

from pacs_ai.domain import Role
from pacs_ai.feedback_kinds import FeedbackKind, Label
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.feedback.concordance import Concordance
from pacs_ai.flow.operate import feedback
from pacs_ai.flow.operate.feedback import FeedbackRecord, TrainingLabels
from pacs_ai.flow.operate.find import selection
from pacs_ai.store.selection import Filter
from pacs_ai.web.api.operation import Operation, Parameters
from pacs_ai.web.api.parameters import Newest, Text, Time

_CLASSES = 1000


class GivenFeedback(Parameters):
    """What a result is worth."""

    result: Text = Field(
        description="SOP Instance UID of a result, or the id of its job, or its first characters"
    )
    kind: FeedbackKind
    labels: dict[str, Label] = Field(
        default={},
        max_length=_CLASSES,
        description="Labels by the name of the class",
        json_schema_extra={"additionalProperties": False},  # pydantic states only the pattern
    )


class Counted(Parameters):
    """Which feedback; times are those at which it was given."""

    since: Time | None = None
    before: Time | None = None
    model: Text | None = Field(None, description="Name of the model in its bundle")

    def filter(self, node: FlowContext) -> Filter:
        """Make the filter of the rows."""
        return selection(node, **self.model_dump())


class OfStudy(Counted):
    """Which feedback, of which study."""

    study: Text | None = None


class Listed(OfStudy, Newest):
    """Which feedback, and how much of it."""


def _add(node: FlowContext, asked: GivenFeedback) -> FeedbackRecord:
    """Say what a result is worth: accept, modify or reject it, with labels for classes."""
    return feedback.add_feedback(node, asked.result, asked.kind, asked.labels, "api")


def _list(node: FlowContext, asked: Listed) -> list[FeedbackRecord]:
    """List feedback, the newest first."""
    return feedback.list_feedback(node, asked.filter(node))


def _concordance(node: FlowContext, asked: Counted) -> list[Concordance]:
    """Count how often users agree with each model version, by month and class."""
    return feedback.list_concordance(node, asked.filter(node))


def _labels(node: FlowContext, asked: OfStudy) -> TrainingLabels:
    """Give the labels of studies for the next training."""
    return feedback.training_labels(node, asked.filter(node))


OPERATIONS: Sequence[Operation] = (
    Operation("POST", "/feedback", Role.OPERATOR, _add, GivenFeedback, FeedbackRecord),
    Operation("GET", "/feedback", Role.VIEWER, _list, Listed, list[FeedbackRecord]),
    Operation(
        "GET", "/feedback/concordance", Role.VIEWER, _concordance, Counted, list[Concordance]
    ),
    Operation("GET", "/feedback/labels", Role.VIEWER, _labels, OfStudy, TrainingLabels),
)
