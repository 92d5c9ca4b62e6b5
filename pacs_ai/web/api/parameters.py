"""Parameters of the operations; pydantic checks them, and describes them for OpenAPI."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from pacs_ai.domain import DeliveryState, JobState, Role, StudyState
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import selection
from pacs_ai.store.selection import Filter
from pacs_ai.web.api.operation import Parameters
from pacs_ai.withdrawal_kinds import RejectionReason

_LIMIT = 1000
_IDS = 10_000


def _time(text: object) -> datetime:
    """Read a time: pydantic would take a number for seconds, and a strict body no text at all."""
    try:
        return datetime.fromisoformat(text.upper() if isinstance(text, str) else "")
    except ValueError:
        raise ValueError("must be a date and time, as in 2026-01-31T12:00:00Z") from None


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


def _whole(value: object) -> object:
    """Take 7.0 for 7, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=128)]
Time = Annotated[AwareDatetime, BeforeValidator(_time), AfterValidator(_utc)]
DeliveryNumber = Annotated[int, Field(ge=1, lt=2**63), BeforeValidator(_whole)]


class NoParameters(Parameters):
    """None."""


class OneStudy(Parameters):
    """A study."""

    study: Text = Field(description="Row id, Study Instance UID, or reference of the log")


class Evidence(OneStudy):
    """The evidence of a study."""

    images: bool = Field(default=False, description="Whether the images are part of it")


class OneJob(Parameters):
    """A job."""

    job: Text = Field(description="Its id, or enough of its first characters")


class OneModel(Parameters):
    """A model."""

    model: Text = Field(description="Its name in the configuration")


class OneVersion(OneModel):
    """A version of a model."""

    version: Text | None = Field(None, description="May be left out if there is only one")


class Resolution(OneStudy):
    """Whose study it is."""

    keep: Text = Field(description="first, corrected, or the number of a choice")


class WithdrawalOf(OneStudy):
    """Results of a study to take back."""

    reason: RejectionReason
    model: Text | None = Field(None, description="Only the results of this model")


class Search(Parameters):
    """What to look for."""

    accession: Text = Field(description="Accession number; only its keyed hash is looked up")


class Newest(Parameters):
    """How many."""

    limit: int = Field(50, ge=1, le=_LIMIT)


class Ledger(Newest):
    """Which lines of the ledger."""

    study: Text | None = None
    since: Time | None = None
    before: Time | None = None

    def filter(self, node: FlowContext) -> Filter:
        """Make the filter of the lines."""
        return selection(node, **self.model_dump())


class OneToken(Parameters):
    """A token."""

    name: Text = Field(description="Who uses it")


class NewTokenOf(OneToken):
    """A token to make."""

    role: Role


class Selection(Parameters):
    """Which rows."""

    since: Time | None = None
    before: Time | None = None
    sender: Text | None = Field(None, description="Calling AE title of the study")
    peer: Text | None = Field(None, description="Destination, a name of [peers.x]")
    model: Text | None = Field(None, description="Name of the model in its bundle")

    def filter(self, node: FlowContext) -> Filter:
        """Make the filter of the rows."""
        return selection(node, **self.model_dump(exclude={"ids"}))


class Studies(Selection, Newest):
    """Which studies; times are those of the last activity."""

    state: StudyState | None = None


class Jobs(Selection, Newest):
    """Which jobs; times are those of the creation."""

    state: JobState | None = None
    study: Text | None = None


class Deliveries(Selection, Newest):
    """Which deliveries; times are those of the creation."""

    state: DeliveryState | None = None
    study: Text | None = None


class JobsAgain(Selection):
    """Which jobs to try again: these, or all that match; times are those of the state."""

    ids: list[Text] | None = Field(None, max_length=_IDS)
    state: JobState | None = None
    study: Text | None = None


class DeliveriesAgain(Selection):
    """Which deliveries to try again: these, or all that match; times are those of the state."""

    ids: list[DeliveryNumber] | None = Field(None, max_length=_IDS)
    state: DeliveryState | None = None
    study: Text | None = None


class TheseDeliveries(Parameters):
    """Which deliveries."""

    ids: list[DeliveryNumber] = Field(max_length=_IDS)
