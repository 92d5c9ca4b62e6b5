"""Compare what senders send with the validation images of the models, study by study.

The daemon does this a few seconds after the analysis: no study waits for it. What was measured is a
row that the job has written, and what is known of a sender is another row: a restart forgets
nothing, and of several nodes one counts each study.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import LeaseLost
from pacs_ai.flow.classifiers import active_reference
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import get_logger
from pacs_ai.model.drift import WINDOWS, Watch
from pacs_ai.model.reference import SCORE, Reference
from pacs_ai.store import observations
from pacs_ai.store.drift_tables import DriftStream, Observation

_AT_ONCE = 20
"""The comparison of so many takes a tenth of a second of the daemon."""

TENTHS = tuple(number / 10 for number in range(1, 11))
"""Upper bounds of the classes of scores."""

_log = get_logger()


@dataclass(slots=True)
class _Work:
    """A stream, its new studies, what was measured of the last ones, and what is to be logged."""

    stream: DriftStream
    before: int
    """Number of its studies when it was read."""
    taken: list[Observation] = field(default_factory=list)
    last: list[dict[str, float]] = field(default_factory=list)
    told: list[tuple[bool, dict[str, object]]] = field(default_factory=list)

    def say(self) -> None:
        for begins, told in self.told:
            if begins:
                _log.error("studies do not look like those of the validation", **told)
            else:
                _log.info("studies look like those of the validation again", **told)


class DriftWatch:
    """Watches the senders of a node.

    Parameters
    ----------
    context
        The node.
    references
        Statistics of the validation images by the hash of the manifest that stands in the rows of
        jobs; None for a bundle that has none. Those of a version that was made active later are
        read when its first study is compared.
    """

    def __init__(self, context: FlowContext, references: Mapping[str, Reference | None]) -> None:
        self._context = context
        self._references = dict(references)
        self._values = lru_cache(maxsize=256)(self._reference_values)

    def sweep(self) -> int:
        """Count and compare studies that nobody has, until urgent work begins; returns how many."""
        total = 0
        while not self._held_up() and (count := self._count_some()):
            total += count
        return total

    def _held_up(self) -> bool:
        with self._context.database.read() as session:
            return self._context.engine.holds_up(session)

    def _count_some(self) -> int:
        """Count some studies; 0 if there are none, or another node counts them."""
        work = self._read()
        for one in work:
            self._follow(one)
        try:
            with self._context.write(durable=False) as transaction:
                for one in work:
                    observations.count(transaction, one.stream, one.before, one.taken)
        except LeaseLost:
            return 0
        for one in work:
            one.say()
        return sum(len(one.taken) for one in work)

    def _read(self) -> "list[_Work]":
        with self._context.database.read() as session:
            taken = observations.unseen(session, _AT_ONCE)
            known = observations.streams(session) if taken else ()
            work = [_Work(stream, stream.studies) for stream in known]
            for one in taken:
                stream = observations.stream_of([each.stream for each in work], one)
                mine = next((each for each in work if each.stream is stream), None)
                if mine is None:
                    mine = _Work(stream, 0)
                    work.append(mine)
                mine.taken.append(one)
            work = [each for each in work if each.taken]
            for each in work:
                if each.stream.id:
                    each.last = observations.last(session, each.stream, WINDOWS[-1])
        return work

    def _follow(self, work: "_Work") -> None:
        """Compare each new study of a stream; the comparison takes too long for a transaction."""
        stream = work.stream
        watch = Watch(stream.compared, dict(stream.alarms))
        for one in work.taken:
            stream.studies += 1
            stream.scores = _counted(stream.scores, one.measured)
            work.last = [*work.last, one.measured][-WINDOWS[-1] :]
            if not self._knows(one):
                continue
            reference = self._values(one.manifest_sha256, one.modality)
            if not reference:
                continue
            found, began, ended = watch.follow(reference, work.last)
            stream.shifts = {name: [shift.distance, shift.psi] for name, shift in found.items()}
            stream.compared, stream.alarms = watch.studies, watch.alarms
            if began or ended:
                stream.alarm_since = one.at if began else None
                work.told.append(_told(stream))

    def _knows(self, one: Observation) -> bool:
        """Tell whether the version that has looked at a study is known, and has a reference."""
        if one.manifest_sha256 not in self._references:
            found = active_reference(self._context, one.model_name, one.manifest_sha256)
            if found is None:  # another one may be active now: it is looked for again
                return False
            self._references[one.manifest_sha256] = found
        return self._references[one.manifest_sha256] is not None

    def _reference_values(
        self, manifest_sha256: str, modality: str
    ) -> Mapping[str, npt.NDArray[np.float64]]:
        reference = self._references.get(manifest_sha256)
        values = {} if reference is None else reference.of(modality)
        return {name: np.array(some) for name, some in values.items()}


def _counted(
    scores: Mapping[str, list[float]], measured: Mapping[str, float]
) -> dict[str, list[float]]:
    """Count a study's scores by tenth; the sum of the scores stands behind the tenths."""
    counted = {name: list(values) for name, values in scores.items()}
    for name, score in measured.items():
        if name.startswith(SCORE):
            values = counted.setdefault(name.removeprefix(SCORE), [0.0] * (len(TENTHS) + 1))
            values[bisect_left(TENTHS, score)] += 1
            values[-1] += score
    return counted


def _told(stream: DriftStream) -> tuple[bool, dict[str, object]]:
    """Return whether an alarm begins, and what the log is to say."""
    told: dict[str, object] = {
        "model": stream.model_name,
        "peer": stream.sender,
        "modality": stream.modality,
        "studies": stream.studies,
    }
    return bool(stream.alarms), told | ({"statistics": _farthest(stream)} if stream.alarms else {})


def _farthest(stream: DriftStream) -> str:
    """Name the statistics in alarm, the farthest first, with their distances."""
    names = sorted(stream.alarms, key=lambda name: -stream.shifts.get(name, [0.0])[0])
    return ", ".join(f"{name} {stream.shifts.get(name, [0.0])[0]:.2f}" for name in names)


@dataclass(frozen=True, slots=True)
class DriftAlarm:
    """A stream of studies that does not look like the validation images of its model."""

    model: str
    sender: str
    modality: str
    since: datetime | None
    statistics: str


@dataclass(frozen=True, slots=True)
class DriftState:
    """How the studies of a sender compare with the validation images of a model.

    ``studies`` is the number of those that were compared; ``alarm`` whether they are unlike,
    ``since`` when; ``statistics`` names those in alarm with their distances.
    """

    model: str
    sender: str
    modality: str
    studies: int
    alarm: bool
    since: datetime | None
    statistics: str


def drift_states(context: FlowContext) -> list[DriftState]:
    """Return all that is watched, for the models that the configuration names."""
    with context.database.read() as session:
        found = observations.streams(session)
    return [
        DriftState(
            one.model_name,
            one.sender,
            one.modality,
            one.compared,
            bool(one.alarms),
            one.alarm_since if one.alarms else None,
            _farthest(one),
        )
        for one in found
        if one.model_name in context.config.models
    ]


def drift_alarms(context: FlowContext) -> Iterator[DriftAlarm]:
    """Return what is in alarm now, for the models that the configuration names."""
    with context.database.read() as session:
        found = observations.streams(session)
    for one in found:
        if one.alarms and one.model_name in context.config.models:
            statistics = _farthest(one)
            yield DriftAlarm(one.model_name, one.sender, one.modality, one.alarm_since, statistics)
