"""Is all of a study here? Its source is asked, and asked again, while other studies go on.

A source that does not answer, or that sends less than it says, holds a study up for a while, and
never beyond the longest wait: who calls this sees to that.
"""

import math
import threading
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pacs_ai.domain import StudyId
from pacs_ai.engine.wakeups import Wakeups
from pacs_ai.errors import PacsAIError
from pacs_ai.flow.arrivals import ASSOCIATION_ENDED
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.source_count import StudyUnknown, count_at_source
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.net.series_count import SeriesCount
from pacs_ai.store import completeness
from pacs_ai.store.completeness import Counted, Revision
from pacs_ai.store.schema import Study
from pacs_ai.store.transition import record

NO_IMAGES = frozenset({"SR", "KO", "PR", "DOC", "PLAN", "REG", "RWV", "FID", "AU", "ECG", "SEG"})
"""Modalities of series that are not waited for: they have no images of the examination."""

TRIES = 3
"""Questions in a row without an answer after which a study goes on without one."""

DOWN_SECONDS = 60.0
"""So long after that, the same source is not asked."""

_RESTING = "it has not answered for others"

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to wait for more images of a study.

    Parameters
    ----------
    again
        When to ask for a verdict again, on the monotonic clock: infinite if a wake-up will come.
        None: there is nothing to wait for.
    counted
        What the source says.
    note
        Why nobody knows how many images there are; "" if the source has said it.
    """

    again: float | None = None
    counted: Counted | None = None
    note: str = ""


@dataclass(slots=True)
class _Check:
    """The questions about one revision."""

    asked: int = 0
    unanswered: int = 0
    """How many of the last questions had no answer."""
    again: float = 0.0
    busy: bool = False
    answer: Sequence[SeriesCount] | None = None
    error: str = ""
    told: str = ""
    """The last line of the audit trail about it."""
    since: float = math.nan
    """When the study was quiet at the last comparison with what had arrived: the same until more
    arrives."""
    counted: Counted | None = None
    """What that comparison has given; None after a new answer."""


@dataclass(slots=True)
class _Source:
    """What is known of a peer: how often in a row it has not answered, and until when it rests."""

    failures: int = 0
    rests_until: float = -math.inf


class CountChecks:
    """Asks the sources of studies, each in a thread of its own, one question at a time.

    It keeps nothing that a restart would lose: the questions are asked again then.

    Parameters
    ----------
    wakeups
        Woken when an answer is there.

    Attributes
    ----------
    context
        The node, with the rules in force.
    """

    def __init__(self, context: FlowContext, wakeups: Wakeups) -> None:
        self.context = context
        self._wakeups = wakeups
        self._lock = threading.Lock()
        self._checks: dict[Revision, _Check] = {}
        self._sources: dict[str, _Source] = {}
        self._queues: dict[str, deque[tuple[Revision, str]]] = {}

    def forget(self, others_than: Collection[Revision]) -> None:
        """Forget what is known of revisions that are closed."""
        with self._lock:
            for gone in self._checks.keys() - set(others_than):
                del self._checks[gone]

    def verdict(self, study: Study, name: str | None, since: float, now: float) -> Verdict:
        """Say whether more images of a study are to be waited for; asks its source if need be.

        Parameters
        ----------
        name
            The peer to ask; None for the one whose AE title the study came from.
        since
            When the study would have been closed without a question, on the monotonic clock.
        """
        asked = self._source_of(study, name)
        if asked is None:
            return Verdict(note="no [peers] section has the AE title of its sender: not counted")
        revision = StudyId(study.id), study.revision
        with self._lock:
            check = self._checks.setdefault(revision, _Check())
            answer, error = check.answer, check.error
            if check.counted is not None and check.since == since and now < check.again:
                return Verdict(check.again, check.counted)
        counted = None if answer is None else self._compare(study, asked, answer)
        with self._lock:
            if check.answer is answer:
                check.since, check.counted = since, counted
        if counted is not None and not counted.missing:
            return Verdict(counted=counted)
        self._tell(study, check, asked, counted, error)
        return self._further(study, check, asked, now)

    def _further(self, study: Study, check: _Check, asked: str, now: float) -> Verdict:
        """Say how to go on where not all is known to be here."""
        with self._lock:
            busy, counted = check.busy, check.counted
            hopeless = check.unanswered >= TRIES or self._rests(asked, now)
            given_up = check.answer is None and not busy and hopeless
        if given_up:
            return Verdict(note=f"{asked} could not be asked: {check.error or _RESTING}")
        if busy:
            return Verdict(math.inf, counted)
        if now < check.again:
            return Verdict(check.again, counted)
        self._ask(study, asked)
        return Verdict(math.inf, counted)

    def known(self, study: Study, name: str | None) -> Counted | None:
        """Return what the source has said so far; None if nothing."""
        revision = StudyId(study.id), study.revision
        check, asked = self._checks.get(revision), self._source_of(study, name)
        if check is None or check.answer is None or asked is None:
            return None
        return self._compare(study, asked, check.answer)

    def _source_of(self, study: Study, name: str | None) -> str | None:
        peers = self.context.config.dimse_peers
        if name is not None:
            return name
        titles = {peer.ae_title: key for key, peer in peers.items()}
        return titles.get(study.calling_aet)

    def _compare(self, study: Study, asked: str, answer: Sequence[SeriesCount]) -> Counted:
        """Compare series by series; those that we made ourselves do not count."""
        with self.context.database.read() as session:
            here = completeness.present_by_series(session, study.id)
            own = completeness.series_of_results(session, study.id)
        there = [
            one
            for one in answer
            if one.series_instance_uid not in own and one.modality not in NO_IMAGES
        ]
        present = sum(min(one.instances, here.get(one.series_instance_uid, 0)) for one in there)
        return Counted(asked, sum(one.instances for one in there), present)

    def _tell(
        self, study: Study, check: _Check, asked: str, counted: Counted | None, error: str
    ) -> None:
        """Write into the audit trail what is waited for, each state of affairs once."""
        if counted is not None:
            said = f"{asked} has {counted.expected} images, {counted.present} of them are here"
        elif error:
            said = f"{asked} could not be asked: {error}"
        else:
            return
        if said == check.told:
            return
        check.told = said
        state = "NOT_COUNTED" if counted is None else "INCOMPLETE"
        with self.context.write(durable=False) as transaction:
            record(transaction, "arrival", study.id, "", state, note=said)
        reference = study_ref(study.study_instance_uid)
        if counted is None:
            _log.warning("images of a study could not be counted", study=reference, reason=said)
        else:
            _log.info("images of a study are missing", study=reference, reason=said)

    def _rests(self, asked: str, now: float) -> bool:
        return now < self._sources.setdefault(asked, _Source()).rests_until

    def _ask(self, study: Study, asked: str) -> None:
        revision = StudyId(study.id), study.revision
        with self._lock:
            self._checks[revision].busy = True
            running = asked in self._queues
            queue = self._queues.setdefault(asked, deque())
            queue.append((revision, study.study_instance_uid))
        if not running:
            threading.Thread(
                target=self._work, args=(asked, queue), name=f"count {asked}", daemon=True
            ).start()

    def _work(self, asked: str, queue: deque[tuple[Revision, str]]) -> None:
        """Ask one source until there is no question left."""
        while True:
            with self._lock:
                if not queue:
                    del self._queues[asked]
                    return
                revision, uid = queue.popleft()
                rests = self._rests(asked, self.context.clock.monotonic())
            answer, error = (None, _RESTING) if rests else self._answer(asked, uid)
            now = self.context.clock.monotonic()
            with self._lock:
                self._note(revision, asked, answer, error, now)
            self._wakeups.wake(ASSOCIATION_ENDED)

    def _answer(self, asked: str, uid: str) -> tuple[Sequence[SeriesCount] | None, str]:
        """Ask; whatever goes wrong is an answer, too: a study must not wait for this thread."""
        try:
            return count_at_source(self.context, asked, uid), ""
        except PacsAIError as error:
            return None, f"{error.code}: {error.message}"
        except Exception as error:  # noqa: BLE001 - a source may send anything
            return None, f"unexpected {type(error).__name__}"

    def _note(
        self,
        revision: Revision,
        asked: str,
        answer: Sequence[SeriesCount] | None,
        error: str,
        now: float,
    ) -> None:
        source = self._sources.setdefault(asked, _Source())
        silent = answer is None and not error.startswith(StudyUnknown.code)
        if error != _RESTING:
            source.failures = source.failures + 1 if silent else 0
            source.rests_until = now + DOWN_SECONDS if source.failures >= TRIES else -math.inf
        check = self._checks.get(revision)
        if check is None:
            return  # closed meanwhile
        pause = min(_FIRST_PAUSE * 2**check.asked, _LONGEST_PAUSE)
        check.busy, check.asked, check.again = False, check.asked + 1, now + pause
        check.error, check.unanswered = error, 0 if answer is not None else check.unanswered + 1
        check.answer = check.answer if answer is None else answer
        check.counted = None
