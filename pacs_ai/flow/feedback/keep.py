"""Feedback goes at the end of its keep time."""

from datetime import datetime, timedelta
from functools import partial

from pacs_ai.flow.batches import in_batches
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import get_logger
from pacs_ai.store import feedback

_log = get_logger()


def forget_feedback(context: FlowContext, today: datetime) -> None:
    """Delete the feedback that is older than ``retention.feedback_days``."""
    before = today - timedelta(days=context.config.kept.feedback_days)
    gone = in_batches(context, partial(feedback.forget, before=before))
    if gone:
        _log.info("feedback removed", number=gone)
