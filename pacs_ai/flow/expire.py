"""Remove what was set aside for an operator after ``retention.aside_days``, and warn before.

These are files in ``variants`` and ``quarantine`` without a row, and studies in CONFLICT. A file
with a row is removed with its study. The audit trail keeps its lines.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.remove import remove_files
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.store import expiry, instances
from pacs_ai.store.schema import Study
from pacs_ai.store.spool import Spool

_AHEAD = timedelta(days=3)
"""The warning comes this long before the removal, or after half the time if that is later."""

_log = get_logger()


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file without a row, and when it is removed."""

    path: str
    ends: datetime


class Expiry:
    """Removes what was set aside when ``retention.aside_days`` are over.

    Parameters
    ----------
    context
        The node.
    """

    def __init__(self, context: FlowContext) -> None:
        self._context = context
        self._told: set[str] = set()

    def sweep(self, now: datetime) -> int:
        """Remove what is due, warn once of what is due soon; return how much was removed.

        Parameters
        ----------
        now
            The date that the age of files is measured by.
        """
        soon = now + min(_AHEAD, kept_for(self._context) / 2)
        return self._studies(now, soon) + self._files(now, soon)

    def _studies(self, now: datetime, soon: datetime) -> int:
        removed = 0
        for study, ends in held_studies(self._context):
            reference = study_ref(study.study_instance_uid)
            if ends <= now:
                removed += self._expire(study, reference)
            elif ends <= soon and reference not in self._told:
                self._told.add(reference)
                _log.warning("study in conflict will be removed", study=reference, at=_day(ends))
        return removed

    def _expire(self, study: Study, reference: str) -> bool:
        context = self._context
        with context.write() as transaction:
            paths = expiry.expire(transaction, study)
        if paths is None:
            return False
        remove_files(context, paths)
        _log.warning("study in conflict removed", study=reference, files=len(paths))
        return True

    def _files(self, now: datetime, soon: datetime) -> int:
        files = list(files_aside(self._context))
        over = [file for file in files if file.ends <= now]
        remove_files(self._context, [file.path for file in over])
        new = [file for file in files if now < file.ends <= soon and file.path not in self._told]
        self._told.update(file.path for file in new)
        if over:
            _log.warning("files set aside removed", files=len(over))
        if new:
            first = min(file.ends for file in new)
            _log.warning("files set aside will be removed", files=len(new), first=_day(first))
        return len(over)


def kept_for(context: FlowContext) -> timedelta:
    """Return how long what was set aside is kept."""
    return timedelta(days=context.config.kept.aside_days)


def held_studies(context: FlowContext) -> list[tuple[Study, datetime]]:
    """Return the studies in CONFLICT, and when each is removed if nobody resolves it."""
    with context.database.read() as session:
        found = expiry.conflicts(session)
    return [(study, since + kept_for(context)) for study, since in found]


def all_files_aside(context: FlowContext) -> list[SetAside]:
    """Return what `files_aside` gives, of all nodes that share the spool."""
    root, durable = context.spool.root, context.spool.durable
    spools = [Spool(root, node, durable=durable) for node in context.spool.nodes()]
    return [file for spool in spools for file in files_aside(replace(context, spool=spool))]


def files_aside(context: FlowContext) -> Iterator[SetAside]:
    """Yield the files of this node that were set aside and have no row."""
    aside = dict(context.spool.aside())
    with context.database.read() as session:
        known = instances.known_of(session, list(aside))
    for path, since in aside.items():
        if path not in known:
            yield SetAside(path, datetime.fromtimestamp(since, UTC) + kept_for(context))


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
