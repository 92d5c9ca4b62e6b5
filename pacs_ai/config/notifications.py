"""``[[notifications]]``: who is told of what, by webhook or mail."""

from collections.abc import Collection, Mapping, Sequence
from string import Template
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pacs_ai.config.message_peers import MailPeer, WebhookPeer
from pacs_ai.config.peers import Peer
from pacs_ai.config.sections import Seconds, Section

Condition = Literal[
    "positive", "rejected", "failed", "conflict", "destination_down", "disk", "runtime"
]

PLACEHOLDERS = frozenset({"node", "notification", "total", "counts", "items", "id"})
"""What a template may name, each after a ``$``."""

SUBJECT = "pacs-ai $node: $counts"
TEXT = "$counts at $node ($notification)\n\n$items\n"


def _template(text: str) -> str:
    template = Template(text)
    if not template.is_valid():
        raise ValueError("has a $ that names nothing: write $$ for a dollar sign")
    unknown = sorted(set(template.get_identifiers()) - PLACEHOLDERS)
    if unknown:
        known = ", ".join(f"${name}" for name in sorted(PLACEHOLDERS))
        raise ValueError(f"${unknown[0]} is not known (known: {known})")
    return text


Text = Annotated[str, AfterValidator(_template)]


class NotificationSection(Section):
    """``[[notifications]]``: what happens, and who is told."""

    name: str = Field(min_length=1, max_length=64)
    """For people and logs."""
    on: tuple[Condition, ...] = Field(min_length=1)
    """What is told: a positive result, a rejected job, a failed job or delivery, a study in
    conflict, a destination that is down, a disk that is almost full, a model that another runtime
    computes than ``[engine]`` says."""
    to: tuple[str, ...] = Field(min_length=1)
    """Names of peers of the kinds ``webhook`` and ``mail``."""
    rules: tuple[str, ...] = ()
    """Only jobs of these rules; empty for all."""
    findings: tuple[str, ...] = ()
    """Only these classes make a result positive; empty for all that are findings."""
    above: float | None = Field(None, ge=0, le=1)
    """Probability from which a finding counts; not set: the operating point of the model."""
    after_seconds: float = Field(60, ge=0)
    """How long results must have waited for a destination that is down."""
    every_seconds: Seconds = 300
    """Least time between two messages to one peer; what happens meanwhile is summed up."""
    with_patient: bool = False
    """Whether a message names patient and study; else it has ids of the node alone."""
    subject: Text = SUBJECT
    """Subject of a mail."""
    text: Text = TEXT
    """Text of a mail, and of the field ``text`` of a webhook."""

    @model_validator(mode="after")
    def _of_results(self) -> Self:
        if "positive" not in self.on and (self.findings or self.above is not None):
            raise ValueError('findings and above need "positive" in on')
        return self


def check_notifications(
    notifications: Sequence[NotificationSection], peers: Mapping[str, Peer], rules: Collection[str]
) -> None:
    """Refuse a name that stands twice, and peers and rules that there are not.

    Raises
    ------
    ValueError
        It says where and why.
    """
    messengers = {name for name, one in peers.items() if isinstance(one, WebhookPeer | MailPeer)}
    seen: set[str] = set()
    for number, one in enumerate(notifications, start=1):
        label = f"[[notifications]] number {number} ({one.name!r})"
        if one.name in seen:
            raise ValueError(f"{label}: another one has the same name")
        seen.add(one.name)
        for name in one.to:
            if name not in messengers:
                raise ValueError(f"{label}: no peer {name!r} of the kind webhook or mail")
        for rule in one.rules:
            if rule not in rules:
                known = ", ".join(sorted(rules))
                raise ValueError(f"{label}: no rule {rule!r} (known: {known})")
