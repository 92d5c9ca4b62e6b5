"""``[retention]``: for how long everything is kept that is removed by time."""

from pydantic import Field

from pacs_ai.config.sections import Section


class Retention(Section):
    """``[retention]``: days for which each kind of data is kept (docs/operations.md)."""

    images_days: float = Field(7, ge=0)
    """Days after the last activity until the files of a finished study, its results too, go."""
    aside_days: float = Field(30, ge=0)
    """Days until what waits for a person is removed: files set aside, studies in CONFLICT."""
    evidence_days: float = Field(184, ge=0)
    """Days for which the evidence of a study is kept whose files were removed; 0 writes none."""
    shadow_days: float = Field(90, ge=0)
    """Days for which predictions in shadow and of comparisons are kept."""
    feedback_days: float = Field(1825, ge=1)
    """Days for which feedback on results is kept."""
    ledger_days: float = Field(730, ge=1)
    """Days for which lines of the ledger are kept."""


OLDER_KEYS = {
    ("storage", "keep_days"): "images_days",
    ("storage", "keep_aside_days"): "aside_days",
    ("audit", "evidence_days"): "evidence_days",
    ("audit", "keep_days"): "ledger_days",
}
"""Section and key that stood for a key of ``[retention]`` before, and still do."""
