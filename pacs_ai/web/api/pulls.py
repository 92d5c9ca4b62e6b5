"""Operations of the REST API on studies that are fetched from archives."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from pacs_ai.domain import Role
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import pulls
from pacs_ai.flow.operate.pulls import PullRecord, PullRequest, PullSummary
from pacs_ai.net.found_study import FoundStudy
from pacs_ai.store.pulls import PullState
from pacs_ai.web.api.operation import Operation, Parameters
from pacs_ai.web.api.parameters import Newest, NoParameters, Text

_STUDIES = 100_000
Where = Annotated[
    dict[Text, Text],
    Field(
        min_length=1,
        description="DICOM keyword: value to match, as StudyDate: 20240101-20241231",
        json_schema_extra={"additionalProperties": False},
    ),
]
Uids = Annotated[list[Text], Field(max_length=_STUDIES)]


class OnePeer(Parameters):
    """An archive."""

    peer: Text = Field(description="A name of [peers.x], kind dimse or dicomweb")


class PullOf(OnePeer):
    """Studies to fetch."""

    studies: Uids = Field(min_length=1, description="Study Instance UIDs")
    again: bool = Field(default=False, description="Also what was fetched before, or has failed")


class SearchAt(OnePeer):
    """What to search for. It is in the body, so that no log of a proxy has it."""

    where: Where


class PullFound(SearchAt):
    """What to search for and to fetch."""

    again: bool = Field(default=False, description="Also what was fetched before, or has failed")


class Pulls(Newest):
    """Which studies that were asked for."""

    state: PullState | None = None
    peer: Text | None = None


class Cancelled(Parameters):
    """What is not to be fetched any more; without parameters: all that has not come yet."""

    peer: Text | None = None
    studies: Uids | None = Field(None, min_length=1, description="Only these")


def _list(node: FlowContext, asked: Pulls) -> list[PullRecord]:
    """List studies that archives were asked for, the newest first."""
    return pulls.list_pulls(node, asked.state, asked.peer, asked.limit)


def _sums(node: FlowContext, _: NoParameters) -> list[PullSummary]:
    """Count studies that archives were asked for by archive and state."""
    return pulls.sum_pulls(node)


def _pull(node: FlowContext, asked: PullOf) -> PullRequest:
    """Fetch studies from an archive, one after the other."""
    new = pulls.pull_studies(node, asked.peer, asked.studies, again=asked.again)
    return PullRequest(asked.peer, len(set(asked.studies)), 0, new)


def _search(node: FlowContext, asked: SearchAt) -> list[FoundStudy]:
    """Search for studies at an archive; nothing is fetched."""
    return pulls.search_studies(node, asked.peer, asked.where)


def _pull_found(node: FlowContext, asked: PullFound) -> PullRequest:
    """Search for studies at an archive, and fetch all that is found."""
    found = pulls.search_studies(node, asked.peer, asked.where)
    return pulls.pull_found(node, asked.peer, found, again=asked.again)


def _cancel(node: FlowContext, asked: Cancelled) -> dict[str, int]:
    """Cancel studies that wait to be fetched, or are being fetched."""
    return {"cancelled": pulls.cancel_pulls(node, asked.peer, asked.studies or ())}


_READ, _ACT = Role.VIEWER, Role.OPERATOR
OPERATIONS: Sequence[Operation] = (
    Operation("GET", "/pulls", _READ, _list, Pulls, list[PullRecord]),
    Operation("POST", "/pulls", _ACT, _pull, PullOf, PullRequest),
    Operation("GET", "/pulls/summary", _READ, _sums, NoParameters, list[PullSummary]),
    Operation("POST", "/pulls/search", _ACT, _search, SearchAt, list[FoundStudy]),
    Operation("POST", "/pulls/found", _ACT, _pull_found, PullFound, PullRequest),
    Operation("POST", "/pulls/cancel", _ACT, _cancel, Cancelled, dict[str, int]),
)
