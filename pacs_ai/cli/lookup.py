"""From what a person types to rows: one study, one job, or the filter of a listing."""

import typer

from pacs_ai.cli.options import moment
from pacs_ai.errors import StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import operator, overview
from pacs_ai.store.overview import StudyLine
from pacs_ai.store.schema import Job
from pacs_ai.store.selection import Filter


def find_study(node: FlowContext, reference: str) -> StudyLine:
    """Find the study with this row id, Study Instance UID, or reference of the log.

    Raises
    ------
    StateError
        If there is none.
    """
    with node.database.read() as session:
        line = overview.study(session, reference)
    if line is None:
        raise StateError(f"no study {reference}")
    return line


def find_job(node: FlowContext, prefix: str) -> Job:
    """Find the one job whose id begins so.

    Raises
    ------
    StateError
        If there is none, or there are several.
    typer.BadParameter
        If it is empty: every id begins so, and a script's unset variable is no choice.
    """
    if not prefix.strip():
        raise typer.BadParameter("the JOB is empty")
    with node.database.read() as session:
        found = operator.find_job(session, prefix)
    if len(found) != 1:
        raise StateError(f"{'several jobs begin' if found else 'no job begins'} with {prefix!r}")
    return found[0]


def selection(
    node: FlowContext,
    *,
    state: str | None = None,
    since: str | None = None,
    before: str | None = None,
    study: str | None = None,
    sender: str | None = None,
    peer: str | None = None,
    model: str | None = None,
    limit: int = 50,
) -> Filter:
    """Make the filter that a command's options describe.

    Raises
    ------
    StateError
        If there is no such study.
    typer.BadParameter
        If a time cannot be read.
    """
    return Filter(
        state=state,
        since=moment(since),
        before=moment(before, "--before"),
        study=None if study is None else find_study(node, study).study.id,
        sender=sender,
        peer=peer,
        model=model,
        limit=limit,
    )
