"""When a study that is being received counts as complete: all signals together, and the cap."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pacs_ai.config.completeness import Study as Timing
from pacs_ai.domain import StudyId
from pacs_ai.engine.hold import LOOK_SECONDS
from pacs_ai.flow.arrivals import ASSOCIATION_ENDED, Arrivals, Signal
from pacs_ai.flow.complete import Reason, close
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.count_check import CountChecks
from pacs_ai.flow.current_rules import up_to_date
from pacs_ai.flow.other_nodes import OtherNodes
from pacs_ai.flow.received_so_far import ReceivedSoFar
from pacs_ai.flow.retrieve.archives import archives
from pacs_ai.flow.urgency import may_be_urgent
from pacs_ai.priorities import Priority
from pacs_ai.store import completeness, fetched, studies
from pacs_ai.store.completeness import Counted, Progress, Revision
from pacs_ai.store.schema import Study
from pacs_ai.store.sqlite_transactions import urgent

_LOOK_SECONDS = 1.0
"""Between two looks at what an archive is sending."""

_NOT_ALL = "an archive was asked for it, and has not sent all of it"

_KEEP_SECONDS = 2.0
"""At most so much of the time that was waited is lost with a process."""


@dataclass(frozen=True, slots=True)
class _Wait:
    """Until when one section of settings lets a study wait, and why it ends then."""

    due: float
    signal: Signal | None
    cap: float
    timing: Timing
    missing: Sequence[str]


class _Lane:
    """Tells whether an association has ended since the last look: its study may be urgent."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._wakeups = arrivals.wakeups
        self._count = self._wakeups.count(ASSOCIATION_ENDED)

    def changed(self) -> bool:
        before, self._count = self._count, self._wakeups.count(ASSOCIATION_ENDED)
        return before != self._count


class Completion:
    """Closes every study that counts as complete.

    Each node closes what it was the last to receive, once all associations with other nodes have
    ended that brought it. All that it remembers is read again after a restart.

    Parameters
    ----------
    context
        The node.
    arrivals
        What arrives.
    """

    def __init__(self, context: FlowContext, arrivals: Arrivals) -> None:
        self._context = context
        self._arrivals = arrivals
        self._received = ReceivedSoFar(context)
        self._checks = CountChecks(context, arrivals.wakeups)
        self._others = OtherNodes(context, arrivals)
        self._kept: dict[Revision, Progress] = {}
        self._fetched: Mapping[str, datetime | None] = {}

    def sweep(self) -> float:
        """Close what is complete; may run at any time.

        Returns
        -------
        float
            Seconds until the next study counts as complete if nothing more arrives; infinite if
            none will.
        """
        self._context = up_to_date(self._context)
        self._received.context = self._checks.context = self._others.context = self._context
        node, names = self._context.spool.node, archives(self._context.config)
        with self._context.database.read() as session:
            self._fetched = fetched.receiving(session, node, names) if names else {}
        lane = _Lane(self._arrivals) if may_be_urgent(self._context.config) else None
        if lane is not None and self._urgent_first():
            return LOOK_SECONDS
        now = self._context.clock.monotonic()
        with self._context.database.read() as session:
            open_studies = studies.receiving(session, node)
            revisions = [_revision(study) for study in open_studies]
            unknown = self._arrivals.unknown(revisions)
            kept = completeness.progress(session, node) if unknown else {}
        self._others.tell(self._arrivals.watch(revisions, now, kept))
        self._others.forget(revisions)
        self._received.forget(revisions)
        self._checks.forget(revisions)
        following, waiting = math.inf, []
        for study in open_studies:
            if lane is not None and lane.changed() and self._urgent_first():
                return LOOK_SECONDS
            due = self._close_if_due(study, now)
            if due is not None:
                following = min(following, due - now)
                waiting.append(_revision(study))
        self._keep(waiting, now)
        return following

    def _urgent_first(self) -> bool:
        """Close the urgent studies that are complete; tell whether their steps hold up the rest.

        The rest is not even looked at then: with many studies that would take the processor from
        the urgent ones.
        """
        with self._context.database.read() as session:
            found = studies.receiving_urgent(session, self._context.spool.node)
        now = self._context.clock.monotonic()
        with urgent():
            for study in found:
                self._close_if_due(study, now)
        with self._context.database.read() as session:
            return self._context.engine.holds_up(session)

    def _close_if_due(self, study: Study, now: float) -> float | None:
        """Close a study that is complete; else return when it is due by what is known now."""
        waits = [self._wait(study, timing) for timing in self._received.timings(study)]
        last = max(waits, key=lambda wait: wait.due)
        cap = max(wait.cap for wait in waits)
        if self._comes(study) and now < cap:
            return min(cap, now + _LOOK_SECONDS)
        if self._has_come(study, waits):
            last = replace(last, due=now, signal=Signal.FETCHED)
        elif last.due <= now < cap and last.signal is not Signal.CAP:
            last = self._with_others(study, waits, last, now)
        if last.due > now or last.signal is None:
            return min(cap, last.due)
        asking = next((wait.timing for wait in waits if wait.timing.count_check), None)
        signal, counted, note = last.signal, None, _NOT_ALL if self._comes(study) else ""
        if signal is Signal.FETCHED:
            pass
        elif asking is not None and now >= cap:
            signal, counted = Signal.CAP, self._checks.known(study, asking.count_peer)
        elif asking is not None:
            verdict = self._checks.verdict(study, asking.count_peer, last.due, now)
            if verdict.again is not None:
                return min(cap, verdict.again)
            counted, note = verdict.counted, note or verdict.note
        if self._held_up(study):
            return now + LOOK_SECONDS
        lacking = [text for wait in waits for text in wait.missing]
        close(self._context, study, _reason(signal, lacking, counted, note))
        return None

    def _held_up(self, study: Study) -> bool:
        """Tell whether a study waits for the steps of urgent ones."""
        if study.priority == Priority.URGENT or not may_be_urgent(self._context.config):
            return False
        with self._context.database.read() as session:
            return self._context.engine.holds_up(session)

    def _with_others(self, study: Study, waits: Sequence[_Wait], last: _Wait, now: float) -> _Wait:
        """Return what to wait for if the study came by other nodes as well."""
        others = self._others.look(_revision(study), now)
        if others is None:
            return last
        if others.again is not None:
            return replace(last, due=others.again)
        if last.signal is not Signal.RELEASED:
            return last
        if not others.released:
            quiet = [one.timing.model_copy(update={"release_seconds": None}) for one in waits]
            return max((self._wait(study, one) for one in quiet), key=lambda wait: wait.due)
        seconds = max(one.timing.release_seconds or 0.0 for one in waits)
        return replace(last, due=max(last.due, others.ended + seconds))

    def _comes(self, study: Study) -> bool:
        """Tell whether an archive is asked for more of a study."""
        uid = study.study_instance_uid
        return uid in self._fetched and self._fetched[uid] is None

    def _has_come(self, study: Study, waits: Sequence[_Wait]) -> bool:
        """Tell whether an archive has sent all of a study, and nothing that must be there lacks."""
        at = self._fetched.get(study.study_instance_uid)
        lacks = any(wait.missing and wait.timing.when_incomplete == "wait" for wait in waits)
        return at is not None and at >= study.last_received_at and not lacks

    def _wait(self, study: Study, timing: Timing) -> _Wait:
        missing = self._received.missing(study, timing)
        there = None if missing is None else not missing
        revision = _revision(study)
        due, signal = self._arrivals.due(revision, timing, there=there)
        return _Wait(due, signal, self._arrivals.cap(revision, timing), timing, missing or ())

    def _keep(self, waiting: Sequence[Revision], now: float) -> None:
        """Write down for how long studies were waited for, as a restart would begin from there."""
        progress = {revision: self._arrivals.progress(revision, now) for revision in waiting}
        before = self._kept
        changed = {
            revision: one
            for revision, one in progress.items()
            if (last := before.get(revision, Progress())).released != one.released
            or one.waited_seconds - last.waited_seconds >= _KEEP_SECONDS
        }
        if changed:
            with self._context.write(durable=False) as transaction:
                completeness.keep(transaction, changed)
        self._kept = {
            revision: changed.get(revision, before.get(revision, Progress()))
            for revision in waiting
        }


def _revision(study: Study) -> Revision:
    return StudyId(study.id), study.revision


def _reason(signal: Signal, lacking: Sequence[str], counted: Counted | None, note: str) -> Reason:
    said = [str(signal)]
    if lacking:
        said.append(f"not there: {', '.join(lacking)}")
    if counted is not None:
        here = f"{counted.present} of them are here" if counted.missing else "all are here"
        said.append(f"{counted.asked} has {counted.expected} images, {here}")
    if note:
        said.append(note)
    return Reason(signal.name.lower(), "; ".join(said), counted)
