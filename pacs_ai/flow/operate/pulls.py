"""Fetch studies from archives: ask for them, list them, cancel them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pacs_ai.errors import StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.retrieve.archives import archive_of
from pacs_ai.flow.retrieve.search import find_studies
from pacs_ai.net.found_study import FoundStudy
from pacs_ai.store import pulls
from pacs_ai.store.pull_table import Pull
from pacs_ai.store.records import filled
from pacs_ai.uids import storable_uid


@dataclass(frozen=True, slots=True)
class PullRecord:
    """A study that was asked for."""

    id: int
    peer: str
    study_instance_uid: str
    state: str
    attempt: int
    instances: int
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None
    error_code: str
    error_text: str

    @classmethod
    def of(cls, row: Pull) -> Self:
        """Make the record of a row."""
        return filled(cls, row)


@dataclass(frozen=True, slots=True)
class PullSummary:
    """How many studies of a peer are in each state that occurs."""

    peer: str
    studies: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What a search has found, or a list has named, and what of it is fetched.

    ``instances`` is their number as the archive tells it. ``new`` were not asked for before, or
    begin again.
    """

    peer: str
    studies: int
    instances: int
    new: int


def search_studies(context: FlowContext, peer: str, where: Mapping[str, str]) -> list[FoundStudy]:
    """Search for studies at an archive; see `pacs_ai.flow.retrieve.search.find_studies`."""
    return find_studies(context, peer, where)


def pull_found(
    context: FlowContext, peer: str, found: Sequence[FoundStudy], *, again: bool = False
) -> PullRequest:
    """Ask for studies that a search has found; errors are those of `pull_studies`."""
    new = pull_studies(context, peer, [one.study_instance_uid for one in found], again=again)
    return PullRequest(peer, len(found), sum(one.instances or 0 for one in found), new)


def pull_studies(
    context: FlowContext, peer: str, uids: Sequence[str], *, again: bool = False
) -> int:
    """Ask for studies; the node fetches them, one after the other.

    Parameters
    ----------
    peer
        Name of a ``[peers.x]`` of the kind ``dimse`` or ``dicomweb``.
    uids
        Study Instance UIDs.
    again
        Fetch also what was fetched before, or has failed.

    Returns
    -------
    int
        How many of them were not asked for before, or begin again.

    Raises
    ------
    ConfigError
        If there is no such peer, or it cannot be asked.
    StateError
        If one of the UIDs is none; nothing is asked for then.
    """
    archive_of(context.config, peer)
    for number, uid in enumerate(uids, start=1):
        if not storable_uid(uid):
            raise StateError(f"study {number} of {len(uids)}: this is no Study Instance UID")
    with context.write() as transaction:
        return pulls.enter(transaction, peer, uids, again=again)


def list_pulls(
    context: FlowContext, state: str | None = None, peer: str | None = None, limit: int = 50
) -> list[PullRecord]:
    """Return studies that were asked for, the newest first."""
    with context.database.read() as session:
        return [PullRecord.of(row) for row in pulls.listed(session, state, peer, limit)]


def sum_pulls(context: FlowContext) -> list[PullSummary]:
    """Count studies by peer and state."""
    with context.database.read() as session:
        counts = pulls.counts(session)
    names = sorted({peer for peer, _ in counts})
    return [
        PullSummary(name, {state: count for (peer, state), count in counts.items() if peer == name})
        for name in names
    ]


def cancel_pulls(context: FlowContext, peer: str | None = None, uids: Sequence[str] = ()) -> int:
    """Cancel what waits to be fetched or is being fetched; returns how many studies.

    Parameters
    ----------
    peer
        Only of this one; None for all.
    uids
        Only these; none for all.
    """
    with context.write() as transaction:
        return pulls.cancel(transaction, peer, uids)
